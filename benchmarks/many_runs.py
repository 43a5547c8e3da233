"""A comparison of 1,000 tiny runs: how long it takes, and whether table, page and studio stay usable.

    python benchmarks/many_runs.py [--runs 1000] [--out FOLDER]

Trains `--runs` RNNs of width 4 for five steps (four learning rates, the rest seeds) through `glassloom.compare` in one
process, then times what people do with them: the list of runs, the table, the page, the page of as many settings, the
studio's first answer and its later ones. Writes benchmarks/results/many_runs.json and the last part of docs/cluster.md.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glassloom
from glassloom.comparison import comparison_table, table_as_text
from glassloom.studio.folder import FRESH_SECONDS, RunsFolder
from glassloom.training.machine import environment

RATES = [1e-3, 3e-3, 1e-2, 3e-2]
TINY = {
    "steps": 5, "width": 4, "layers": 1, "batch_size": 4, "sequence_length": 16, "eval_tokens": 100, "eval_every": 5,
    "save_every": 5, "sample_every": 5, "sample_length": 10, "threads": 1,
}  # fmt: skip
MARK = "<!-- what follows is written by benchmarks/many_runs.py -->\n"
DOCUMENT = Path(__file__).parent.parent / "docs" / "cluster.md"
RESULTS = Path(__file__).parent / "results" / "many_runs.json"


def text() -> str:
    """A small text, so that scoring takes as little as training."""
    places = [f"the {animal} sat on the {place}.\n" for animal in ("cat", "dog") for place in ("mat", "bed")]
    return "".join(places) * 30


def seconds(what: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call takes, and what it gives."""
    started = time.perf_counter()
    found = what()
    return time.perf_counter() - started, found


def measure(runs: int, out: Path) -> dict[str, Any]:
    """Train, and use."""
    from glassloom.api import describe_runs
    from glassloom.report import write_report

    def quiet(id: str, event: Any) -> None:
        """Nobody watches."""

    def compare() -> Any:
        return glassloom.compare(
            text(), ["rnn"], vary={"lr": RATES}, seeds=runs // len(RATES), out=out, on_event=quiet, **TINY
        )

    first, found = seconds(compare)
    again, found = seconds(compare)
    assert len(found.rows) == runs
    assert {row.status for row in found.rows} == {"finished"}
    listed, rows = seconds(lambda: describe_runs(out))
    assert len(rows) == runs
    table, lines = seconds(lambda: table_as_text(comparison_table(found)))
    page, _ = seconds(lambda: write_report(found, out))
    distinct, there = seconds(lambda: glassloom.write_report(["*"], out / "report", root=out))
    runs_of_studio = RunsFolder(out)
    studio, _ = seconds(runs_of_studio.describe)
    time.sleep(FRESH_SECONDS)
    studio_again, known = seconds(runs_of_studio.describe)
    assert len(known) == runs
    return {
        "distinct_seconds": distinct, "distinct_bytes": there.stat().st_size, "studio_seconds": studio,
        "studio_again_seconds": studio_again, "load": os.getloadavg()[0],
        "runs": runs, "compare_seconds": first, "again_seconds": again, "runs_listed_seconds": listed,
        "table_seconds": table, "table_lines": len(lines.splitlines()), "report_seconds": page,
        "report_bytes": (out / "report.html").stat().st_size, "environment": environment("benchmarks/many_runs.py"),
    }  # fmt: skip


def main() -> None:
    """Measure, say, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    out = given.out or Path(tempfile.mkdtemp(prefix="many-runs-"))
    found = measure(given.runs, out)
    for name, value in found.items():
        if name != "environment":
            print(f"{name:24} {value:,.2f}" if isinstance(value, float) else f"{name:24} {value:,}")
    if given.out is None:
        shutil.rmtree(out)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    before = DOCUMENT.read_text(encoding="utf-8").split(MARK)[0]
    DOCUMENT.write_text(before + MARK + section(found), encoding="utf-8")


def section(found: dict[str, Any]) -> str:
    """What docs/cluster.md says of it."""
    where = found["environment"]
    lines = [
        ("training them all, in one process", f"{found['compare_seconds']:.0f} s, page included"),
        ("the same command again, nothing left to train", f"{found['again_seconds']:.1f} s"),
        ("`glassloom runs`", f"{found['runs_listed_seconds']:.1f} s"),
        ("the page of four settings with 250 seeds each",
         f"{found['report_seconds']:.1f} s, {found['report_bytes'] / 1e6:.1f} MB"),
        ("`glassloom report '*'`: the page of 1,000 settings, from the run folders",
         f"{found['distinct_seconds']:.1f} s, {found['distinct_bytes'] / 1e6:.1f} MB"),
        ("the studio's list, the first time", f"{found['studio_seconds']:.1f} s"),
        ("the studio's list, where nothing has changed", f"{found['studio_again_seconds']:.2f} s"),
    ]  # fmt: skip
    rows = "".join(f"| {what} | {took} |\n" for what, took in lines)
    return (
        f"\n{found['runs']:,} runs of an RNN of width 4, five steps each; `python benchmarks/many_runs.py` on "
        f"{where['processor']}, one thread, load {found['load']:.1f} (others were measuring and testing on it), "
        f"torch {where['torch']}, {where['date'][:10]}:\n\n| what | time |\n|---|---|\n{rows}"
    )


if __name__ == "__main__":
    main()
