"""Files beside a page: each is written whole or not at all."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import vl_convert

from glassloom.storage import replace_file, storing

PIXELS = 2
"""Of a PNG, for one pixel of the figure."""


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file, and the folders above it, so that a reader sees the old one or the new one.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content.encode("utf-8", "replace") if isinstance(content, str) else content)


def write_figures(drawings: Mapping[str, str], folder: Path) -> None:
    """Write each SVG as it is, and as a PNG beside it."""
    for name, svg in drawings.items():
        write_whole(folder / f"{name}.svg", svg)
        write_whole(folder / f"{name}.png", vl_convert.svg_to_png(svg, scale=PIXELS))


def remove_figures(names: Iterable[str], folder: Path) -> None:
    """Take away the figures that a page no longer shows."""
    for name in names:
        for kind in ("svg", "png"):
            (folder / f"{name}.{kind}").unlink(missing_ok=True)
