"""What the rows come to: rates with exact bounds over files, seconds, and a line for each name."""

import statistics
from collections.abc import Sequence
from typing import Any

from bounds import bounds

Rows = Sequence[dict[str, Any]]


def share(rows: Rows, claim: str, wanted: bool = True) -> dict[str, Any]:
    """How many files a claim holds of at every seed, with 95 % bounds; and of all runs.

    Bounds are over files: the seeds of one file are no independent trials.
    """
    files: dict[str, bool] = {}
    for row in rows:
        files[row["case"]] = files.get(row["case"], True) and row[claim] is wanted
    hits, runs = sum(files.values()), sum(row[claim] is wanted for row in rows)
    low, high = bounds(hits, len(files)) if files else (0.0, 1.0)
    return {
        "files": len(files), "hits": hits, "share": hits / len(files) if files else None,
        "low": low, "high": high, "runs": len(rows), "run_hits": runs,
    }  # fmt: skip


def summary(rows: Rows) -> dict[str, Any]:
    """Detection, the right name first, false alarms, seconds, and each name's own line."""
    sick = [row for row in rows if row["expected"]]
    sound = [row for row in rows if not row["expected"]]
    seconds = [row["seconds"] for row in rows if row.get("whole", True)]
    names: dict[str, list[dict[str, Any]]] = {}
    for row in sick:
        names.setdefault(row["expected"][0], []).append(row)
    return {
        "detected": share(sick, "detected"),
        "right_name_first": share(sick, "right"),
        "false_alarms": {**share(sound, "right"), **alarms(sound)},
        "seconds_median": statistics.median(seconds) if seconds else None,
        "seconds_most": max(seconds, default=None),
        "errors": sum("error" in row for row in rows),
        "names": {
            name: {
                "runs": len(of),
                "detected": sum(row["detected"] for row in of),
                "right": sum(row["right"] for row in of),
                "forms": sorted({row["form"] for row in of}),
                "instead": sorted({row["named"][0] if row["named"] else "nothing" for row in of if not row["right"]}),
            }
            for name, of in sorted(names.items())
        },
    }  # fmt: skip


def alarms(rows: Rows) -> dict[str, Any]:
    """Healthy files called sick (or not examined at all) at any seed, with bounds."""
    files: dict[str, bool] = {}
    for row in rows:
        files[row["case"]] = files.get(row["case"], False) or not row["right"]
    hits = sum(files.values())
    low, high = bounds(hits, len(files)) if files else (0.0, 1.0)
    return {
        "hits": hits, "share": hits / len(files) if files else None, "low": low, "high": high,
        "run_hits": sum(not row["right"] for row in rows),
    }  # fmt: skip


def in_words(part: dict[str, Any]) -> str:
    """`101 of 105 files, 96.2 % (90.5 to 99.0)`."""
    if not part["files"]:
        return "none"
    low, high = 100 * part["low"], 100 * part["high"]
    return f"{part['hits']} of {part['files']} files, {100 * part['share']:.1f} % ({low:.1f} to {high:.1f})"
