"""Losses beside baselines, as plain tables."""

from collections.abc import Mapping
from typing import Any

from glassloom.cli.output import table

UNITS = ("nats_per_token", "perplexity", "bits_per_character", "bits_per_byte")
HEADER = ["", "nats/token", "perplexity", "bits/char", "bits/byte"]


def figures_line(figures: Mapping[str, Any]) -> str:
    """One loss in every unit, on one line."""
    known = [unit for unit in UNITS if figures.get(unit) is not None]
    line = ", ".join(f"{written(figures[unit], unit)} {unit.replace('_', ' ')}" for unit in known)
    share = figures.get("spelling_share")
    return f"{line} ({share:.1%} of the bits spell words that the vocabulary lacks)" if share else line


def baselines_table(figures: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """The model among the baselines, the best at the bottom."""
    rows: list[tuple[str, Mapping[str, Any]]] = [*baselines.items(), *([("this model", figures)] if figures else [])]
    rows.sort(key=lambda row: -row[1]["nats_per_token"])
    return table([[name, *(written(row.get(unit), unit) for unit in UNITS)] for name, row in rows], HEADER)


def written(value: Any, unit: str) -> str:
    """A figure with as many digits as it deserves; what is above 0 never reads as 0.

    >>> written(0.0, "nats_per_token"), written(0.00001, "nats_per_token"), written(1.5, "nats_per_token")
    ('0.0000', '<0.0001', '1.5000')
    """
    if value is None:
        return "-"
    if unit != "perplexity":
        return "<0.0001" if 0 < value < 0.00005 else f"{value:.4f}"
    return f"{value:,.2f}" if value < 1e7 else f"{value:.3g}"
