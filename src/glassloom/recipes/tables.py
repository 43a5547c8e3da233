"""Figures as they were reported elsewhere, every epoch of them: the tables in `reported/`."""

import csv
from pathlib import Path

from glassloom.errors import InputError, nearest

FOLDER = Path(__file__).parent / "reported"


def rows_of(table: str) -> list[dict[str, str]]:
    """A table of figures as they were reported elsewhere: `ptb`, `other`.

    Raises:
        InputError: there is none of that name.
    """
    path = FOLDER / f"{table}.csv"
    if not path.is_file():
        known = [found.stem for found in FOLDER.glob("*.csv")]
        raise InputError(f"There is no table of reported figures {table}", "one that there is", nearest(table, known))
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def perplexity_in(table: str, run: str, epoch: int | None) -> float:
    """A run's reported validation perplexity after an epoch, or its lowest.

    >>> perplexity_in("ptb", "3.2a", 1), perplexity_in("ptb", "3.2a", None)
    (284.31, 110.22)
    """
    [row] = [row for row in rows_of(table) if row["id"] == run and row["split"] == "valid"]
    values = {int(name[6:]): float(value) for name, value in row.items() if name.startswith("epoch_") and value}
    return values[epoch] if epoch else min(values.values())
