"""Whether torch's threads should sleep sooner: GOMP_SPINCOUNT=1000, as the command line sets it, against unset.

    python benchmarks/spinning_threads.py [--rounds 9] [--steps 60]

Each measurement is a training of its own process, for the variable counts only before torch is imported; the two are
run in turns, on a machine left alone and beside one other busy process. A ratio above 1 means that sleeping sooner is
faster. All pairs are in the JSON: where some are above 1 and some below, nothing is settled.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from measuring import compared, in_turns, spread_in_words, write

VARIABLE, SPINS = "GOMP_SPINCOUNT", "1000"
MODELS = ("gru", "transformer")
TEXT_MEGABYTES = 0.5
TRAIN = """
import sys, tempfile
from pathlib import Path
from measuring import some_text
from glassloom.data import load_text
from glassloom.training import train
model, steps, megabytes = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
settings = {"model": model, "steps": steps, "eval_tokens": 200, "sample_length": 4, "split": "99,1"}
with tempfile.TemporaryDirectory() as folder:
    corpus = load_text(some_text(megabytes), cache=Path(folder))
    print(train(corpus, settings, root=folder, name="run", with_baselines=False).seconds)
"""
"""Prints the seconds of the training itself, without imports and evaluation."""


def training(model: str, steps: int, spins: str | None) -> float:
    """The seconds of one training in a process of its own."""
    here = {name: value for name, value in os.environ.items() if name != VARIABLE}
    here["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), here.get("PYTHONPATH", "")])
    if spins is not None:
        here[VARIABLE] = spins
    command = [sys.executable, "-c", TRAIN, model, str(steps), str(TEXT_MEGABYTES)]
    done = subprocess.run(command, env=here, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


@contextmanager
def company(processes: int) -> Iterator[None]:
    """So many other processes that compute all the time."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(rounds: int, steps: int) -> list[dict[str, Any]]:
    """Each model, alone and in company."""
    rows = []
    for model in MODELS:
        for busy in (0, 1):
            with company(busy):
                pairs = in_turns(
                    partial(training, model, steps, SPINS), partial(training, model, steps, None), rounds, warm_up=0
                )
            rows.append({"model": model, "other_busy_processes": busy, **compared(pairs)})
    return rows


def main(rounds: int = 9, steps: int = 60) -> None:
    """Measure, print, write JSON."""
    rows = measure(rounds, steps)
    for row in rows:
        beside = f"beside {row['other_busy_processes']} busy" if row["other_busy_processes"] else "left alone"
        print(f"{row['model']:<12} {beside:<14} sleeping sooner against torch's own: {spread_in_words(row)}")
    write("spinning_threads", f"python benchmarks/spinning_threads.py --rounds {rounds} --steps {steps}", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=60)
    asked = parser.parse_args()
    main(asked.rounds, asked.steps)
