"""Losses beside baselines, as plain tables."""

from collections.abc import Mapping
from typing import Any

from glassloom.cli.output import table

UNITS = ("nats_per_token", "perplexity", "bits_per_character", "bits_per_byte")
HEADER = ["", "nats/token", "perplexity", "bits/char", "bits/byte"]


def figures_line(figures: Mapping[str, Any]) -> str:
    """One loss in every unit, on one line."""
    return ", ".join(f"{written(figures[unit], unit)} {unit.replace('_', ' ')}" for unit in UNITS if figures.get(unit))


def baselines_table(figures: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """The model among the baselines, the best at the bottom."""
    rows: list[tuple[str, Mapping[str, Any]]] = [*baselines.items(), *([("this model", figures)] if figures else [])]
    rows.sort(key=lambda row: -row[1]["nats_per_token"])
    return table([[name, *(written(row.get(unit), unit) for unit in UNITS)] for name, row in rows], HEADER)


def written(value: Any, unit: str) -> str:
    """A figure with as many digits as it deserves."""
    if value is None:
        return "-"
    if unit != "perplexity":
        return f"{value:.4f}"
    return f"{value:,.2f}" if value < 1e7 else f"{value:.3g}"
