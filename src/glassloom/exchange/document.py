"""docs/formats.md, with its tables from the code: `python -m glassloom.exchange.document > docs/formats.md`."""

import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any

from glassloom.exchange import FORMATS
from glassloom.exchange.fitting import ALWAYS, LAYOUTS, shown
from glassloom.exchange.foreign_settings import ACTIVATIONS, KNOWN


def formats_page() -> str:
    """The page about foreign formats."""
    page = resources.files("glassloom.exchange").joinpath("formats.jinja").read_text(encoding="utf-8")
    parts = {"formats": formats(), "layouts": layouts(), "always": wanted(ALWAYS), "known": ", ".join(KNOWN)}
    parts["activations"] = ", ".join(f"{theirs} ({ours})" for theirs, ours in ACTIVATIONS.items())
    for name, text in parts.items():
        page = page.replace("{{ " + name + " }}", text)
    return page


def formats() -> str:
    """One line a format."""
    return table(("--to", "what it becomes"), [(f"`{name}`", one.about) for name, one in FORMATS.items()])


def layouts() -> str:
    """One line a layout of transformers."""
    rows = []
    for name, layout in LAYOUTS.items():
        own = {setting: values for setting, values in layout.needs.items() if setting not in ALWAYS}
        beyond = "the same window goes along" if layout.slides else "none: texts of at most `context` tokens"
        rows.append((f"`{name}`", layout.about, wanted(own), beyond, f"`{layout.gguf}`"))
    return table(("layout", "what it is", "settings that fit", "beyond the context", "GGUF"), rows)


def wanted(needs: dict[str, tuple[Any, ...]]) -> str:
    """Settings with the values that they may have."""
    return "; ".join(f"{name} {' or '.join(map(shown, values))}" for name, values in needs.items())


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    sys.stdout.write(formats_page())
