"""Each architecture's defaults after one minute, against the same architecture in two well-known training scripts.

    python benchmarks/defaults.py --texts DIR --wlm DIR --nanogpt DIR [--minutes 1] [--again NAME,...]

The peers are clones: pytorch/examples' `word_language_model` (RNN, GRU, LSTM, Transformer; its main.py runs unchanged,
interrupted when the minute of training is over, and the better of its last model and its best saved one is scored) and
nanoGPT (the flags of its README for a CPU, all 2,000 iterations, which take about that long here). Both get characters,
at the settings they document; where a peer documents two ways for one architecture, the better one counts. Ours is
`glassloom train TEXT --model NAME --minutes 1`, one and the same defaults for every text. Four texts: tinyshakespeare,
a novel, Hebrew (from DIR) and Python's own library, each trained on its first nine tenths and scored on the last, in
windows of 64 characters, nothing carried; recurrent ones with the state carried, too. Everything runs as a process of
its own, one after the other. Trainings that stand in the results are kept; `--again ours` or `--again hebrew/ours`
makes those anew whose name begins so or ends so.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from measuring import RESULTS, some_text, write
from time_to_quality import ours, prepare_theirs, theirs

TEXTS = {"shakespeare": "shakespeare.txt", "novel": "great_expectations.txt", "hebrew": "hebrew.txt", "python": ""}
DOCUMENTED = {
    "rnn": [["--model", "RNN_TANH"]],
    "gru": [["--model", "GRU"]],
    "lstm": [["--model", "LSTM"]],
    "transformer": [["--model", "Transformer", "--lr", "5"],
                    ["--model", "Transformer", "--use-optimizer", "--lr", "0.001"]],
}  # fmt: skip
"""The flags by which word_language_model's README, or its own default, trains each architecture."""
WORD_LANGUAGE_MODEL = """
import _thread, json, signal, sys, threading, time
folder, data, text, seconds = sys.argv[1:4] + [float(sys.argv[4])]
saved = data + "/model.pt"
sys.path.insert(0, folder)
sys.argv = ["main.py", "--data", data, "--save", saved, *sys.argv[5:]]
names, last = {"__name__": "__main__"}, {}
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started us with it ignored

def end():
    while "best_val_loss" not in names:  # the name that is bound right before its first epoch
        time.sleep(0.01)
    time.sleep(seconds)
    last["model"] = names["model"]
    _thread.interrupt_main()

threading.Thread(target=end, daemon=True).start()
try:
    exec(compile(open(folder + "/main.py").read(), "main.py", "exec"), names)
except FileNotFoundError:
    pass  # interrupted before its first epoch ended: it has no best model to load

import torch
import torch.nn.functional as F

symbols = open(text, encoding="utf-8", newline="").read()
known = names["corpus"].dictionary.word2idx
ids = torch.tensor([known["<eos>" if symbol == "\\n" else f"u{ord(symbol)}"] for symbol in symbols])
held = ids[int(0.9 * len(ids)) - 1 :]
count = (len(held) - 1) // 64
recurrent = hasattr(last["model"], "rnn_type")

def nats(model, inputs, targets, state):
    if recurrent:
        out, state = model(inputs, state)
    else:
        out = model(inputs)
    return float(F.nll_loss(out.reshape(targets.numel(), -1), targets.reshape(-1), reduction="sum")), state

found = []
for model in (last["model"], names["model"]):
    model.eval()
    with torch.no_grad():
        windows = held[: count * 64].view(count, 64).t(), held[1 : count * 64 + 1].view(count, 64).t()
        rest = held[count * 64 : -1][:, None], held[count * 64 + 1 :][:, None]
        total = 0.0
        for inputs, targets in [*zip(windows[0].split(100, 1), windows[1].split(100, 1)), rest]:
            if len(inputs):
                total += nats(model, inputs, targets, model.init_hidden(inputs.shape[1]) if recurrent else None)[0]
        line = {"windows_64": total / (len(held) - 1)}
        if recurrent:
            total, state = 0.0, model.init_hidden(1)
            for start in range(0, len(held) - 1, 1000):
                targets = held[start + 1 : start + 1001][:, None]
                part, state = nats(model, held[start : start + len(targets)][:, None], targets, state)
                total += part
            line["carried"] = total / (len(held) - 1)
        found.append(line)
print("\\n" + json.dumps(min(found, key=lambda one: one["windows_64"])))
"""
"""Run in a process of its own: the peer's main.py for so many seconds, then its loss on the held-out tenth."""


def spelled(text: str) -> str:
    """Characters as that script's words, one line for each of the text's own, whose end is its <eos>."""
    return "\n".join(" ".join(f"u{ord(symbol)}" for symbol in line) for line in text.split("\n"))


def word_language_model(folder: Path, text: Path, flags: list[str], minutes: float) -> dict[str, Any]:
    """word_language_model for so long, its own loop."""
    symbols = text.read_text(encoding="utf-8")
    cut = int(0.9 * len(symbols))
    with tempfile.TemporaryDirectory() as data:
        parts = {"train": symbols[:cut], "valid": symbols[cut : cut + 8192], "test": symbols[cut:]}
        for name, part in parts.items():
            (Path(data) / f"{name}.txt").write_text(spelled(part), encoding="utf-8")
        arguments = [str(folder.resolve()), data, str(text), str(60 * minutes), *flags]
        done = subprocess.run(
            [sys.executable, "-c", WORD_LANGUAGE_MODEL, *arguments], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"word_language_model {' '.join(flags)} failed:\n{done.stderr[-2000:]}")
    return {**json.loads(done.stdout.splitlines()[-1]), "flags": " ".join(flags)}


def trainings(asked: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Any]]:
    """Every training by its name `text/who/what`, with what runs it."""
    for name, file in TEXTS.items():
        text = asked.texts / file if file else folder / f"{name}.txt"
        if not file:
            text.write_text(some_text(1.0), encoding="utf-8")
        for model in DOCUMENTED:
            flags = ["--model", model, "--minutes", str(asked.minutes)]
            yield f"{name}/{model}/ours", lambda text=text, flags=flags: ours(text, *flags)
            for number, documented in enumerate(DOCUMENTED[model]):
                yield (
                    f"{name}/{model}/wlm {number}",
                    lambda text=text, flags=documented: word_language_model(asked.wlm, text, flags, asked.minutes),
                )
        yield f"{name}/any/ours", lambda text=text: ours(text, "--minutes", str(asked.minutes))

        def nanogpt(text: Path = text) -> dict[str, Any]:
            prepare_theirs(asked.nanogpt.resolve(), text)
            return dict(theirs(asked.nanogpt.resolve(), text))

        yield f"{name}/transformer/nanogpt", nanogpt


def rows(known: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each text and architecture: our loss, and the best of the peers' as what it is to be below."""
    for text in TEXTS:
        for model in (*DOCUMENTED, "any"):
            mine = known.get(f"{text}/{model}/ours")
            rivals = {
                name: found
                for name, found in known.items()
                if name.startswith(f"{text}/")
                and (model == "any" or name.split("/")[1] == model)
                and "ours" not in name
            }
            if mine is None or not rivals:
                continue
            for figure, words in (("windows_64", "in windows of 64"), ("carried", "carried")):
                theirs_by_name = {name: found[figure] for name, found in rivals.items() if figure in found}
                if not theirs_by_name or (figure == "carried" and model in ("transformer", "any")):
                    continue
                best = min(theirs_by_name, key=lambda name: theirs_by_name[name])
                yield {
                    "name": f"{'no model named' if model == 'any' else model}, {text}: loss {words}",
                    "target": theirs_by_name[best], "measured": mine[figure], "unit": "nats", "better": "lower",
                    "peer": best.split("/", 1)[1], "met": mine[figure] < theirs_by_name[best],
                }  # fmt: skip


def main() -> None:
    """Train what is missing, print, write JSON after every training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--wlm", type=Path, required=True, help="pytorch/examples' folder word_language_model")
    parser.add_argument("--nanogpt", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--only", default="", help="beginnings of names, comma-separated: these alone")
    parser.add_argument("--again", default="", help="beginnings or ends of names, comma-separated: these anew")
    asked = parser.parse_args()
    path = RESULTS / "defaults.json"
    known: dict[str, Any] = json.loads(path.read_text())["trainings"] if path.exists() else {}
    again, only = asked.again.split(",") if asked.again else [], tuple(asked.only.split(","))
    known = {
        name: found
        for name, found in known.items()
        if not any(name.startswith(one) or name.endswith(one) for one in again)
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, run in trainings(asked, Path(folder)):
            if name in known or not name.startswith(only):
                continue
            known[name] = run()
            print(name, json.dumps(known[name]), file=sys.stderr, flush=True)
            command = "python benchmarks/defaults.py --texts DIR --wlm DIR --nanogpt DIR"
            write("defaults", command, rows(known), trainings=known)
    for row in rows(known):
        verdict = "met" if row["met"] else "missed"
        print(f"{row['name']:<55} {row['measured']:.4f}  below {row['target']:.4f} ({row['peer']})  {verdict}")


if __name__ == "__main__":
    main()
