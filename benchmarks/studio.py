"""The studio: how soon the first token is on the page, and how long a page over many long runs takes.

    python benchmarks/studio.py [--runs 200 --points 10000 --models gru transformer]

The server runs in a process of its own, as a user starts it; times are those of a client on the same machine, from
sending the request to the first line with a token, or to the whole answer. Models have the default settings (more
parameters than the demo's) and one update behind them: what they have learnt changes no time. `cold` is a first request
after the server has started and never opened the model; `warm` one after that. The long runs are made up: every one has
the same number of points in its metrics.
"""

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from measuring import some_text, write

TARGET_MILLISECONDS = 100
PROMPT = "def "
SEEN = 25
"""Lines of the list that a window shows."""


@contextmanager
def studio(folder: Path) -> Iterator[str]:
    """`glassloom studio FOLDER` in a process of its own; its address."""
    command = [sys.executable, "-m", "glassloom", "studio", str(folder), "--port", "0", "--no-open", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        printed = ""
        while not printed.rstrip().endswith("}"):
            printed += process.stdout.readline()
        address = json.loads(printed)["address"]
        while True:
            try:
                urllib.request.urlopen(address).read()
                break
            except OSError:
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def asked(address: str, path: str, body: Any = None) -> Any:
    """One request, open for reading."""
    headers = {"content-type": "application/json", "origin": address.rstrip("/")}
    content = None if body is None else json.dumps(body).encode()
    return urllib.request.urlopen(urllib.request.Request(address + path, content, headers))


def first_token(address: str, run: str, prompt: str) -> float:
    """Milliseconds from the request to the first line that has a token."""
    began = time.perf_counter()
    with asked(address, "api/write", {"run": run, "prompt": prompt, "length": 50}) as answer:
        for line in answer:
            if b'"tokens"' in line:
                return 1000 * (time.perf_counter() - began)
    raise AssertionError("no token came")


def milliseconds(address: str, path: str) -> float:
    """From the request to the whole answer."""
    began = time.perf_counter()
    asked(address, path).read()
    return 1000 * (time.perf_counter() - began)


def train_one_step(folder: Path, text: Path, model: str) -> None:
    """A run with default settings after a single update."""
    command = [
        sys.executable,
        "-m",
        "glassloom",
        "train",
        str(text),
        "--model",
        model,
        "--steps",
        "1",
        "--runs",
        str(folder),
    ]
    subprocess.run([*command, "--name", model, "--minutes", "none"], check=True, capture_output=True)


def spread(values: list[float]) -> dict[str, float]:
    """Median, lowest and highest."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def first_tokens(models: list[str], rounds: int) -> list[dict[str, Any]]:
    """For each model the cold and the warm first token, of a short prompt and a long one."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder, text = Path(place) / "runs", Path(place) / "text.txt"
        text.write_text(some_text(1.0), encoding="utf-8")
        for model in models:
            train_one_step(folder, text, model)
        parameters = {model: size_of(folder / model) for model in models}
        for model in models:
            cold = []
            for _ in range(max(2, rounds // 4)):
                with studio(folder) as address:
                    cold.append(first_token(address, model, PROMPT))
            with studio(folder) as address:
                first_token(address, model, PROMPT)
                warm = [first_token(address, model, PROMPT) for _ in range(rounds)]
                long = [first_token(address, model, some_text(0.001)) for _ in range(rounds)]
            for what, values in (("cold", cold), ("warm", warm), ("warm, 1,000 characters before it", long)):
                row = {"what": "first token", "model": model, "weights_bytes": parameters[model], "case": what,
                       "target_milliseconds": TARGET_MILLISECONDS, **spread(values)}  # fmt: skip
                rows.append(row)
                print(f"{model}, {what}: {row['median']:.1f} ms ({row['lowest']:.1f} to {row['highest']:.1f})")
    return rows


def size_of(run: Path) -> int:
    """Bytes of the weights of a run's newest checkpoint."""
    return max(path.stat().st_size for path in run.glob("checkpoints/*/model.safetensors"))


def made_up(folder: Path, runs: int, points: int) -> None:
    """So many runs with so many points each: copies of one, with metrics of their own."""
    first = folder / "run-000"
    text = folder.parent / "text.txt"
    text.write_text(some_text(0.05), encoding="utf-8")
    small = ["--width", "32", "--layers", "1", "--steps", "2", "--minutes", "none", "--batch-size", "4"]
    command = [sys.executable, "-m", "glassloom", "train", str(text), "--model", "gru", "--runs", str(folder)]
    subprocess.run([*command, "--name", first.name, *small], check=True, capture_output=True)
    lines = []
    for step in range(1, points + 1):
        nats = 1.5 + 2.5 * math.exp(-step / (points / 6)) + 0.02 * math.sin(step)
        shared = {"step": step, "epoch": step / 900, "tokens": 1024 * step, "seconds": step / 11}
        event = {"event": "train", **shared, "progress": step / points, "train_nats": nats, "lr": 0.004,
                 "norm_before": 0.7714747190475464, "norm_after": 0.7714747190475464, "smoothed_nats": nats,
                 "batch_nats": nats}  # fmt: skip
        if step % 10 == 0:
            event = {"event": "evaluation", **shared, "train_nats": nats, "valid_nats": nats + 0.05, "is_best": True}
        lines.append(json.dumps(event))
    metrics = "\n".join(lines) + "\n"
    (first / "metrics.jsonl").write_text(metrics, encoding="utf-8")
    for number in range(1, runs):
        shutil.copytree(first, folder / f"run-{number:03d}")


def many_runs(runs: int, points: int, rounds: int) -> list[dict[str, Any]]:
    """The list, the curves of the lines in sight for the first time and again, a run's own page, ten compared."""
    rows = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs"
        made_up(folder, runs, points)
        names = [f"run-{number:03d}" for number in range(runs)]

        def curves(some: list[str], most: int) -> str:
            return f"api/curves?points={most}&" + "&".join(f"run={name}" for name in some)

        with studio(folder) as address:
            timed: dict[str, list[float]] = {"list, first": [milliseconds(address, "api/runs")]}
            timed["list, again"] = [milliseconds(address, "api/runs") for _ in range(rounds)]
            began, longest = time.perf_counter(), 0.0
            while True:
                each = time.perf_counter()
                found = json.load(asked(address, curves(names[:SEEN], 48)))["curves"]
                longest = max(longest, time.perf_counter() - each)
                if all(curve["whole"] for curve in found.values()):
                    break
            timed[f"curves of {SEEN} lines, first, until whole"] = [1000 * (time.perf_counter() - began)]
            timed[f"curves of {SEEN} lines, first, the longest request"] = [1000 * longest]
            timed[f"curves of {SEEN} lines, again"] = [
                milliseconds(address, curves(names[:SEEN], 48)) for _ in range(rounds)
            ]
            timed["one run's own page, 600 points"] = [
                milliseconds(address, curves([name], 600)) for name in names[:rounds]
            ]
            timed["comparison of 10, 400 points"] = [
                milliseconds(address, curves(names[:10], 400)) for _ in range(rounds)
            ]
            with open(folder / names[0] / "metrics.jsonl", "a", encoding="utf-8") as file:
                line = {
                    "event": "train",
                    "step": points + 1,
                    "epoch": 12.0,
                    "tokens": 1,
                    "seconds": 1e4,
                    "train_nats": 1.5,
                }
                file.write(json.dumps(line) + "\n")
            timed["one more point of one run"] = [milliseconds(address, curves(names[:1], 600))]
    for what, values in timed.items():
        row = {"what": what, "runs": runs, "points": points, **spread(values)}
        rows.append(row)
        print(f"{what}: {row['median']:.1f} ms ({row['lowest']:.1f} to {row['highest']:.1f})")
    return rows


def main(
    runs: int = 200,
    points: int = 10_000,
    models: tuple[str, ...] = ("rnn", "gru", "lstm", "transformer"),
    rounds: int = 10,
) -> None:
    """Measure both, print, and write benchmarks/results/studio.json."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = first_tokens(list(models), rounds) + many_runs(runs, points, rounds)
    write("studio", "python benchmarks/studio.py", rows, threads=os.environ["OMP_NUM_THREADS"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--points", type=int, default=10_000)
    parser.add_argument("--models", nargs="+", default=["rnn", "gru", "lstm", "transformer"])
    given = parser.parse_args()
    main(given.runs, given.points, tuple(given.models))
