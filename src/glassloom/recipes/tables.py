"""Figures as they were reported elsewhere, every epoch of them: the tables in `reported/`."""

import csv
from pathlib import Path

from glassloom.errors import InputError, nearest

FOLDER = Path(__file__).parent / "reported"


def tables() -> list[str]:
    """The tables that there are."""
    return sorted(found.stem for found in FOLDER.glob("*.csv"))


def rows_of(table: str) -> list[dict[str, str]]:
    """A table of figures as they were reported elsewhere: `ptb`, `other`.

    Raises:
        InputError: there is none of that name.
    """
    path = FOLDER / f"{table}.csv"
    if not path.is_file():
        known = tables()
        raise InputError(
            f"There is no table of reported figures {table}", f"one of {', '.join(known)}", nearest(table, known)
        )
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def perplexity_in(table: str, run: str, epoch: int | None) -> float:
    """A run's reported validation perplexity after an epoch, or its lowest.

    >>> perplexity_in("ptb", "3.2a", 1), perplexity_in("ptb", "3.2a", None)
    (284.31, 110.22)

    Raises:
        InputError: there is no such table, or it has not that run, or that epoch of it.
    """
    found = {row["id"]: row for row in rows_of(table) if row.get("split") == "valid"}
    if run not in found:
        raise InputError(f"The table {table} of reported figures has no run {run}", "one of its", nearest(run, found))
    values = {int(name[6:]): float(value) for name, value in found[run].items() if name.startswith("epoch_") and value}
    if epoch is not None and epoch not in values:
        raise InputError(
            f"The table {table} has no epoch {epoch} of {run}", f"1 to {max(values)}", "ask for one of these"
        )
    return min(values.values()) if epoch is None else values[epoch]
