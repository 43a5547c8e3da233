"""A text much larger than the memory it may take: prepared, then trained on, each in a process of its own.

    python benchmarks/large_file.py [--megabytes 2000] [--steps 20]

For each process: its seconds, its peak of resident memory beyond what the imports alone take, and how often it opened
the text. The first prepares the text, the second trains on what is prepared and must not open the text again. The file
and the cache lie in a temporary folder (about twice the text's size, for a character is one byte of ids).
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PHASES = ("prepare", "train")
HELD_OUT_BYTES = 200_000
"""The whole held-out text is scored at the end; more of it would measure evaluation, not the size of the file."""


def make_file(path: Path, megabytes: float) -> None:
    """ASCII text of exactly so many million bytes, and no two stretches of it alike."""
    from measuring import library_text

    left = int(megabytes * 1e6)
    with path.open("wb") as file:
        for number, part in enumerate(library_text()):
            piece = f"# {number}\n{part}".encode("ascii", "replace")[:left]
            file.write(piece)
            left -= len(piece)
            if not left:
                return


def run_phase(phase: str, path: Path, steps: int) -> dict[str, Any]:
    """What one process does and says, inside it."""
    opened = 0

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal opened
        opened += event == "open" and str(arguments[0]) == str(path)

    from glassloom.data import DataSettings, load_corpus
    from glassloom.training import train

    importlib.import_module("torch._dynamo")  # the first optimizer of a process does; it belongs to the imports
    before = peak_bytes()
    sys.addaudithook(note)
    started = time.perf_counter()
    held_out = 100 * HELD_OUT_BYTES / path.stat().st_size
    split = f"{100 - held_out:.6f},{held_out:.6f}"
    if phase == "prepare":
        load_corpus(path, DataSettings(split=split))
    else:
        settings = {"model": "gru", "width": 64, "layers": 1, "batch_size": 16, "sequence_length": 64, "steps": steps}
        train(
            path, {**settings, "split": split, "eval_tokens": 2000, "sample_length": 10}, root=path.parent, name="run",
            with_baselines=False,
        )  # fmt: skip
    return {
        "phase": phase,
        "seconds": time.perf_counter() - started,
        "memory_of_imports_bytes": before,
        "memory_beyond_imports_bytes": peak_bytes() - before,
        "opened_the_text": opened,
    }


def peak_bytes() -> int:
    """The most memory that this process held at any time.

    On Linux not what getrusage says: that starts from what the parent held.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure(megabytes: float, steps: int) -> list[dict[str, Any]]:
    """Make the file, and start a process for each phase."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:
        path = Path(folder) / "large.txt"
        make_file(path, megabytes)
        time.sleep(2.5)  # a file that was just written may change again, and is not remembered by its times
        for phase in PHASES:
            command = [sys.executable, __file__, "--phase", phase, "--path", str(path), "--steps", str(steps)]
            here = {**os.environ, "GLASSLOOM_CACHE": str(Path(folder) / "cache")}
            done = subprocess.run(command, env=here, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def main(megabytes: float = 2000.0, steps: int = 20) -> None:
    """Measure, print, write JSON."""
    from measuring import write

    rows = measure(megabytes, steps)
    for row in rows:
        print(
            f"{row['phase']:<8} {row['seconds']:>8.1f} s   {row['memory_beyond_imports_bytes'] / 1e6:>7.0f} MB beyond "
            f"the imports' {row['memory_of_imports_bytes'] / 1e6:.0f}   opened the text {row['opened_the_text']} times"
        )
    write("large_file", f"python benchmarks/large_file.py --megabytes {megabytes:g} --steps {steps}", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=2000.0)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--phase", choices=PHASES, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.phase:
        print(json.dumps(run_phase(asked.phase, asked.path, asked.steps)))
    else:
        main(asked.megabytes, asked.steps)
