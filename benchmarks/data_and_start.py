"""From a file to ids, from the command to the first step, and what a minute's training spends beside its steps.

    python benchmarks/data_and_start.py [--megabytes 100] [--minutes 1] [--models gru,lstm] [--text FILE]

Everything is measured as a user meets it: a text file is prepared by `load_corpus`, in a process of its own, from the
first byte read to the ids on the disk (both passes, hashes and all); the first step, from before the process is started
until the run's metrics hold it; help, as a whole process; and evaluation and checkpoints, as the run itself counts
them. The text to train on is a megabyte of Python's standard library where no other is given. `met` compares the
median of the rounds with the target.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from large_file import make_file
from measuring import some_text, write

MODELS = ("rnn", "gru", "lstm", "transformer")
TOKENIZERS = (("char", 20.0), ("byte", 20.0), ("char, two bytes each", 20.0), ("word", None), ("bpe:2000", None))
"""What a text is cut into, and how many megabytes a second it must reach, where the issue asks for it."""
SLOW = ("word", "bpe:2000")
"""These get a fifth of the text: their rate is told, not held against a target."""
COMMANDS = ("", "demo", "train", "compare", "run", "evaluate", "generate", "report", "gradcheck", "corpora", "runs")
FIRST_STEP_SECONDS, HELP_SECONDS, SHARE_OF_A_MINUTE = 3.0, 0.4, 5.0
GREEK = str.maketrans({chr(latin): chr(0x3B1 + place) for place, latin in enumerate(range(ord("a"), ord("z") + 1))})
PREPARE = """
import json, sys, time
from pathlib import Path
from large_file import peak_bytes
from glassloom.data import DataSettings, load_corpus
import numpy, glassloom.data.prepare, glassloom.data.corpora
if sys.argv[2].startswith("bpe"): import tokenizers
before, started = peak_bytes(), time.perf_counter()
corpus = load_corpus(Path(sys.argv[1]), DataSettings(tokenizer=sys.argv[2]))
spent = time.perf_counter() - started
sizes = sum(part.tokens for part in (corpus.train, corpus.valid, corpus.test))
print(json.dumps({"seconds": spent, "tokens": sizes, "memory_beyond_imports_bytes": peak_bytes() - before}))
"""


def row(
    name: str, target: float | None, values: Sequence[float], unit: str, better: str, **more: Any
) -> dict[str, Any]:
    """One line of the table: the median of what was measured, and whether it is what was asked for."""
    measured = statistics.median(values)
    met = None if target is None else (measured >= target if better == "higher" else measured <= target)
    told = {"name": name, "target": target, "measured": measured, "unit": unit, "met": met, "better": better}
    return {**told, "lowest": min(values), "highest": max(values), "rounds": len(values), **more}


def environment(cache: Path) -> dict[str, str]:
    """This process's, with a cache of prepared texts of its own, and with this folder to import from."""
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "GLASSLOOM_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def glassloom(*arguments: str) -> list[str]:
    """The command line, as it is started."""
    return [sys.executable, "-m", "glassloom", *arguments]


# -- data


def tokenizing(megabytes: float, rounds: int) -> Iterator[dict[str, Any]]:
    """Megabytes a second from a file to ids, by tokenizer, each round in a process and a cache of its own."""
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        for name, target in TOKENIZERS:
            size = megabytes / 5 if name in SLOW else megabytes
            path = Path(folder) / "text.txt"
            make_file(path, size)
            if name.startswith("char,"):
                path.write_text(path.read_text("utf-8").translate(GREEK)[: int(size * 1e6 / 1.6)], "utf-8")
            size = path.stat().st_size / 1e6
            found = [prepared(path, name.split(",")[0], Path(folder) / f"{name} {round}") for round in range(rounds)]
            rates = [size / one["seconds"] for one in found]
            memory = max(one["memory_beyond_imports_bytes"] for one in found)
            about = f"{size:.0f} MB of text to ids on the disk: {name}"
            yield row(about, target, rates, "MB/s", "higher", memory_beyond_imports_bytes=memory)


def prepared(path: Path, tokenizer: str, cache: Path) -> dict[str, Any]:
    """What one process says that prepares the text."""
    command = [sys.executable, "-c", PREPARE, str(path), tokenizer]
    done = subprocess.run(command, env=environment(cache), stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


# -- start


def starting(text: Path, models: Sequence[str], rounds: int) -> Iterator[dict[str, Any]]:
    """Seconds to the end of the first step, the text prepared before and not; then those of every help."""
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        shared = Path(folder) / "cache"
        for ready in (True, False):
            for model in models:
                if ready:
                    first_step(text, model, shared)
                caches = [shared if ready else Path(folder) / f"{model} {round}" for round in range(rounds)]
                seconds = [first_step(text, model, cache) for cache in caches]
                how = "text prepared before" if ready else "text not prepared"
                name = f"glassloom train --model {model}: start to first step, {how}"
                yield row(name, FIRST_STEP_SECONDS, seconds, "s", "lower")
        for command in COMMANDS:
            seconds = [seconds_of_help(command, shared) for _ in range(rounds)]
            yield row(" ".join(["glassloom", *command.split(), "--help"]), HELP_SECONDS, seconds, "s", "lower")


def first_step(text: Path, model: str, cache: Path) -> float:
    """Seconds from before the process is started until the run's metrics hold its first step."""
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        metrics = Path(folder) / "runs" / "run" / "metrics.jsonl"
        command = glassloom("train", str(text), "--model", model, "--name", "run")
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment(cache), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, start_new_session=True)  # fmt: skip
        try:
            while not (metrics.exists() and metrics.stat().st_size):
                assert process.poll() is None, f"{' '.join(command)} ended before its first step"
                time.sleep(0.003)
            return time.perf_counter() - started
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def seconds_of_help(command: str, cache: Path) -> float:
    """Seconds of a whole process that shows its help."""
    started = time.perf_counter()
    subprocess.run(glassloom(*command.split(), "--help"), env=environment(cache), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


# -- a minute's training


def training(text: Path, models: Sequence[str], minutes: float) -> Iterator[dict[str, Any]]:
    """What evaluation and checkpoints took, in percent of the time of the steps; by the run's own account."""
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        first_step(text, "rnn", Path(folder) / "cache")
        for model in models:
            command = glassloom(
                "train", str(text), "--model", model, "--minutes", str(minutes), "--name", model, "--json"
            )
            done = subprocess.run(command, cwd=folder, env=environment(Path(folder) / "cache"), check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # fmt: skip
            found = json.loads(done.stdout.splitlines()[-1])
            seconds, beside = found["seconds"], found["beside"]
            within = 100 * (beside["evaluation"] + beside["checkpoints"]) / seconds
            whole = within + 100 * beside["scoring"] / seconds
            name = f"glassloom train --model {model} --minutes {minutes:g}: evaluation and checkpoints"
            more = {"seconds": seconds, "beside": beside, "tokens_per_second": found["tokens_per_second"]}
            yield row(name, SHARE_OF_A_MINUTE, [within], "% of the steps' time", "lower", **more)
            about = f"{name}, and the whole held-out split at the end"
            yield row(
                about, SHARE_OF_A_MINUTE, [whole], "% of the steps' time", "lower", scored=found["best"]["tokens"]
            )


def main(
    megabytes: float = 100.0,
    rounds: int = 3,
    minutes: float = 1.0,
    models: Sequence[str] = MODELS,
    text: Path | None = None,
) -> None:
    """Measure, print, write JSON."""
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        if text is None:
            text = Path(folder) / "library.txt"
            text.write_text(some_text(1.1), "utf-8")
            time.sleep(2.5)  # a file that was just written may change again, and is not remembered by its times
        parts: list[Callable[[], Iterator[dict[str, Any]]]] = [
            partial(starting, text.resolve(), MODELS, rounds),
            partial(tokenizing, megabytes, rounds),
            partial(training, text.resolve(), models, minutes),
        ]
        rows = []
        for part in parts:
            for one in part():
                verdict = {True: "met", False: "MISSED", None: ""}[one["met"]]
                asked = (
                    "" if one["target"] is None else f"{'≥' if one['better'] == 'higher' else '≤'} {one['target']:g}"
                )
                print(f"{one['measured']:>8.2f} {one['unit']:<20} {asked:<7} {verdict:<7} {one['name']}", flush=True)
                rows.append(one)
        command = (
            f"python benchmarks/data_and_start.py --megabytes {megabytes:g} --rounds {rounds} --minutes {minutes:g}"
        )
        write("data_and_start", f"{command} --models {','.join(models)}", rows, text=text.name)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--text", type=Path)
    asked = parser.parse_args()
    main(asked.megabytes, asked.rounds, asked.minutes, asked.models.split(","), asked.text)
