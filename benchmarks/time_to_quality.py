"""How long until a character model of tinyshakespeare is as good as nanoGPT's documented CPU recipe makes it.

    python benchmarks/time_to_quality.py --text shakespeare.txt --nanogpt DIR [--rounds 1] [--longer 1.5,5]

nanoGPT (https://github.com/karpathy/nanoGPT, a clone in DIR; its data folder is prepared here) trains with the flags
of its README for a CPU, as a whole process; ours is `glassloom train TEXT --fast`, as a whole process on a prepared
text. They take turns. Both are then scored on the whole held-out tenth in windows of 64 characters, nothing carried.
`--longer`: also `glassloom train TEXT --minutes M`, scored in windows of 64 and 256 and with the state carried.
The settings were chosen on other texts and on a slice of the training text (`search_settings.py`).
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import compared, write

NANOGPT = {
    "device": "cpu", "compile": False, "eval_iters": 20, "log_interval": 100, "block_size": 64, "batch_size": 12,
    "n_layer": 4, "n_head": 4, "n_embd": 128, "max_iters": 2000, "lr_decay_iters": 2000, "dropout": 0.0,
}  # fmt: skip
"""The flags of its README for a CPU, beside config/train_shakespeare_char.py."""
SCORE = """
import pickle, sys, torch
sys.path.insert(0, sys.argv[1])
from model import GPT, GPTConfig
saved = torch.load(sys.argv[2], map_location="cpu", weights_only=False)
model = GPT(GPTConfig(**saved["model_args"])).eval()
model.load_state_dict(saved["model"])
text = open(sys.argv[3], encoding="utf-8").read()
stoi = pickle.load(open(sys.argv[4], "rb"))["stoi"]
ids = torch.tensor([stoi[symbol] for symbol in text])
held = ids[int(0.9 * len(ids)) - 1 :]
total = count = 0
with torch.no_grad():
    for start in range(0, len(held) - 1, 64):
        piece = held[start : start + 65][None]
        _, loss = model(piece[:, :-1], piece[:, 1:])
        total, count = total + float(loss) * (piece.shape[1] - 1), count + piece.shape[1] - 1
print(total / count)
"""
"""Run in a process of its own, for the peer's checkpoint is a pickle."""


def theirs(folder: Path, text: Path, **changed: Any) -> dict[str, float]:
    """nanoGPT as a whole process: seconds, seconds of a step (by its own log), loss in windows of 64.

    `changed`: other flags, by name, in place of those that it documents.
    """
    flags = [f"--{name}={value}" for name, value in {**NANOGPT, **changed}.items()]
    with tempfile.TemporaryDirectory() as out:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "train.py", "config/train_shakespeare_char.py", *flags, f"--out_dir={out}"],
            cwd=folder, capture_output=True, text=True, check=True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        own = [line for line in done.stdout.splitlines() if line.startswith("step ")][-1]
        ticks = [float(line.split("time ")[1].split("ms")[0]) for line in done.stdout.splitlines() if " time " in line]
        meta = folder / "data" / "shakespeare_char" / "meta.pkl"
        scored = subprocess.run(
            [sys.executable, "-c", SCORE, str(folder), f"{out}/ckpt.pt", str(text), str(meta)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    step = statistics.median(ticks) / 1000
    best = float(own.split("val loss ")[1])
    return {
        "seconds": seconds,
        "step_seconds": step,
        "own_estimate": best,
        "windows_64": float(scored.stdout.splitlines()[-1]),
    }


def prepare_theirs(folder: Path, text: Path) -> None:
    """Its data folder, as its own script makes it of the text."""
    data = folder / "data" / "shakespeare_char"
    shutil.copyfile(text, data / "input.txt")
    subprocess.run([sys.executable, "prepare.py"], cwd=data, capture_output=True, check=True)


def ours(text: Path, *flags: str) -> dict[str, Any]:
    """`glassloom train` as a whole process, then scored."""
    import glassloom

    with tempfile.TemporaryDirectory() as runs:
        command = [sys.executable, "-m", "glassloom", "train", str(text), *flags, "--runs", runs, "--name", "one"]
        started = time.perf_counter()
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
        seconds = time.perf_counter() - started
        told = json.loads(done.stdout.splitlines()[-1])
        run = glassloom.load_run(Path(runs) / "one")
        nats = {f"windows_{n}": glassloom.evaluate(run, windows=n).figures.nats_per_token for n in (64, 256)}
        model = {"model": run.config.architecture, **run.config.model.model_dump(exclude_defaults=True)}
    return {
        "seconds": seconds, "training_seconds": told["seconds"], "steps": told["steps"], **nats,
        "carried": told["best"]["nats_per_token"], "settings": model,
    }  # fmt: skip


def targets(runs: list[tuple[dict[str, float], dict[str, Any]]]) -> list[dict[str, Any]]:
    """The lines of the table for `--fast`: medians of the pairs (theirs, ours), with the lowest and the highest."""
    losses = [mine["windows_64"] for _, mine in runs]
    whole = compared([(mine["seconds"], peer["seconds"]) for peer, mine in runs])
    trained = compared([(mine["training_seconds"], peer["step_seconds"] * 2000) for peer, mine in runs])
    reached = {"lowest": min(losses), "highest": max(losses)}
    rows = [
        judged("--fast: loss in windows of 64", 1.898, statistics.median(losses), "nats", "lower") | reached,
        judged("--fast: nanoGPT's wall time over ours", 20.0, whole["ratio"], "times", "higher") | whole,
        judged("--fast: its training time over ours", 40.0, trained["ratio"], "times", "higher") | trained,
    ]
    return rows


def judged(name: str, target: float, measured: float, unit: str, better: str) -> dict[str, Any]:
    """One line: what was to be reached, what was."""
    met = measured <= target if better == "lower" else measured >= target
    return {"name": name, "target": target, "measured": measured, "unit": unit, "better": better, "met": met}


def main(text: Path, nanogpt: Path | None = None, rounds: int = 1, longer: str = "1.5") -> None:
    """Measure, print, write JSON."""
    text = text.resolve()
    ours(text, "--fast", "--steps", "1")  # the text is prepared, as nanoGPT's is
    rows: list[dict[str, Any]] = []
    facts: dict[str, Any] = {}
    if nanogpt:
        folder = nanogpt.resolve()
        prepare_theirs(folder, text)
        runs = []
        for number in range(rounds):
            peer = theirs(folder, text) if number % 2 else None
            mine = ours(text, "--fast")
            runs.append((peer or theirs(folder, text), mine))
            print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
        rows += targets(runs)
        facts = {"nanogpt": [peer for peer, _ in runs], "fast": [mine for _, mine in runs]}
    for minutes in [float(one) for one in longer.split(",") if one]:
        found = ours(text, "--minutes", str(minutes))
        print(json.dumps(found), file=sys.stderr, flush=True)
        facts[f"minutes {minutes:g}"] = found
        named = f"{minutes:g} minutes: loss "
        if math.isclose(minutes, 1.5):
            rows.append(judged(named + "in windows of 64", 1.54, found["windows_64"], "nats", "lower"))
            rows.append(judged(named + "with the state carried", 1.50, found["carried"], "nats", "lower"))
        if minutes <= 5:
            rows.append(judged(named + "in windows of 256", 1.4697, found["windows_256"], "nats", "lower"))
    for row in rows:
        verdict = "met" if row["met"] else "missed"
        print(f"{row['name']:<45} {row['measured']:8.3f} {row['unit']:<6} asked {row['target']:g}  {verdict}")
    command = f"python benchmarks/time_to_quality.py --text FILE --nanogpt DIR --rounds {rounds} --longer {longer}"
    write("time_to_quality", command, rows, **facts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--nanogpt", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--longer", default="")
    asked = parser.parse_args()
    main(asked.text, asked.nanogpt, asked.rounds, asked.longer)
