"""A comparison of 1,000 tiny runs: how long it takes, and whether table, page and studio stay usable.

    python benchmarks/many_runs.py [--runs 1000] [--out FOLDER]

Trains `--runs` RNNs of width 4 for five steps (four learning rates, the rest seeds) through `glassloom.compare` in one
process, then times what people do with them: the list of runs, the table, the page, the studio's first answers.
Writes benchmarks/results/many_runs.json.
"""

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glassloom
from glassloom.comparison import comparison_table, table_as_text
from glassloom.training.machine import environment

RATES = [1e-3, 3e-3, 1e-2, 3e-2]
TINY = {
    "steps": 5, "width": 4, "layers": 1, "batch_size": 4, "sequence_length": 16, "eval_tokens": 100, "eval_every": 5,
    "save_every": 5, "sample_every": 5, "sample_length": 10, "threads": 1,
}  # fmt: skip
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
    return {
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


if __name__ == "__main__":
    main()
