"""The page of all settings, made from the settings themselves: `python -m glassloom.config.document`."""

import sys
from collections.abc import Iterable

from pydantic import BaseModel

from glassloom.config.fields import Setting, describe
from glassloom.config.training import USUAL_RATES, TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.models import ARCHITECTURES, settings_of


def settings_page() -> str:
    """Every setting as Markdown: flag, what it may be, default, what it does; and each architecture's own defaults.

    >>> "--batch-size" in settings_page()
    True
    """
    lines = ["# Settings", "", "Made from the settings themselves; every one is a flag of `train` and `compare`."]
    lines += section("The text", rows_of(DataSettings))
    for name in ARCHITECTURES.own:
        lines += section(f"The model: {name}", rows_of(settings_of(name)))
    lines += section("Training", rows_of(TrainSettings))
    lines += ["", "## Defaults that depend on the architecture", "", "| architecture | defaults |", "|---|---|"]
    for name in ARCHITECTURES.own:
        own = settings_of(name).training
        lines.append(f"| {name} | {', '.join(f'{key} {value}' for key, value in own.items())} |")
    rates = ", ".join(f"{name} {rate:g}" for name, rate in USUAL_RATES.items())
    lines += ["", f"Where another optimizer is asked for and no `--lr`: {rates}."]
    return "\n".join(lines) + "\n"


def rows_of(settings: type[BaseModel]) -> list[Setting]:
    """The settings of one class."""
    return [describe(settings, name) for name in settings.model_fields]


def section(title: str, settings: Iterable[Setting]) -> list[str]:
    """One table."""
    lines = ["", f"## {title}", "", "| flag | may be | default | what it does |", "|---|---|---|---|"]
    for setting in settings:
        allowed = "; ".join(part for part in (setting.kind, setting.bounds, setting.unit) if part)
        default = "" if setting.default in (None, "") else f"`{setting.default}`"
        cells = (f"`--{setting.name.replace('_', '-')}`", allowed, default, setting.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


if __name__ == "__main__":
    sys.stdout.write(settings_page())
