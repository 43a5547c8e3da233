"""One view as a file: JSON and CSV of its numbers, a page of its exhibits, or all its figures on one sheet."""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import vl_convert

from glassloom.errors import InputError, sentence
from glassloom.exhibits import Coloured, Exhibit, Piece, Texts
from glassloom.report.colours import PAPER
from glassloom.report.drawing import as_svg, pieces, show
from glassloom.report.exhibition import Page, Section, exhibition_as_html
from glassloom.report.files import PIXELS, write_whole
from glassloom.training.machine import environment
from glassloom.views.catalogue import VIEWS
from glassloom.views.labelled import View

GAP = 24
TOLD = ("date", "command")
"""Of the environment: what the page says anyway."""
FIRST_TAG = re.compile(r"<svg[^>]*>")


def write_view(found: View, path: Path | str, *, title: str = "", command: str = "glassloom.view") -> Path:
    """Write a view in the form that the path's ending names; the path.

    Raises:
        InputError: another ending, or nothing in the view that could be drawn.
        StorageError: the folder cannot be written.
    """
    path = Path(path)
    if path.suffix not in WRITERS:
        raise InputError(
            f"A view cannot be written as {path.suffix or 'a file without an ending'}",
            f"a file that ends in {', '.join(WRITERS)}",
            f"call it {path.stem or 'view'}.html",
        )
    write_whole(path, WRITERS[path.suffix](found, title or found.view, command))
    return path


def view_as_html(found: View, title: str, command: str) -> str:
    """The page of a view: every exhibit, opened offline."""
    told = {name.replace("_", " "): _told(value) for name, value in found.as_dict()["facts"].items()}
    about = VIEWS[found.view].about if found.view in VIEWS else ""
    page = Page(
        title=title,
        about=sentence(about[:1].upper() + about[1:]) if about else "",
        facts=told,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        sections=(Section(title="What was found", name="view", exhibits=tuple(found.exhibits())),),
        environment={name: value for name, value in environment(command).items() if name not in TOLD},
        downloads={f"{found.view}.json": found.to_json(), f"{found.view}.csv": found.to_csv()},
    )
    return exhibition_as_html(page)


def _told(value: Any, deep: bool = False) -> str:
    """A fact in words: of several named ones a line each, what is named within them on that line."""
    if isinstance(value, dict):
        parts = (f"{name.replace('_', ' ')}{' ' if deep else ': '}{_told(part, True)}" for name, part in value.items())
        return (", " if deep else "\n").join(parts) or "none"
    if isinstance(value, list):
        return ", ".join(map(_told, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else "none" if value in (None, "") else str(value)


def view_as_svg(exhibits: Sequence[Exhibit]) -> str:
    """Every figure of a view, one below the other.

    Raises:
        InputError: none of the exhibits is drawn.
    """
    drawn = [svg for exhibit in map(in_colours, exhibits) if (svg := as_svg(show(exhibit))) is not None]
    if not drawn:
        raise InputError(
            "Nothing of this view is drawn: its numbers are tables",
            "a file that ends in .html, .csv or .json",
            "choose one of these for --out",
        )
    parts, y, width = [], 0.0, 0.0
    for number, svg in enumerate(drawn):
        wide, high = size_of(svg)
        parts.append(f'<g transform="translate(0 {y:.1f})">{_apart(svg, number)}</g>')
        y, width = y + high + GAP, max(width, wide)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="0 0 {width:.1f} {y - GAP:.1f}" width="{width:.1f}" height="{y - GAP:.1f}">'
        f'<rect width="100%" height="100%" fill="{PAPER}"/>{"".join(parts)}</svg>'
    )


def in_colours(exhibit: Exhibit) -> Exhibit:
    """Texts as a coloured text, which can be drawn, what is marked in the strongest shade; all else as it is."""
    if not isinstance(exhibit, Texts):
        return exhibit
    texts = {
        f"{number}. {one.label}": (
            Piece(text=one.prompt, value=None),
            *(Piece(text=text, value=1.0 if marked else 0.0) for text, marked in pieces(one)),
        )
        for number, one in enumerate(exhibit.texts, start=1)
    }
    return Coloured(name=exhibit.name, title=exhibit.title, texts=texts, unit="marked")


def size_of(svg: str) -> tuple[float, float]:
    """Width and height that a figure's first tag says.

    >>> size_of('<svg height="20" class="a" width="10.5">')
    (10.5, 20.0)
    """
    tag = FIRST_TAG.search(svg)
    found = [re.search(rf'\b{name}="([\d.]+)"', tag[0]) for name in ("width", "height")] if tag else []
    assert len(found) == 2, "a figure is an SVG"
    wide, high = (float(each[1]) for each in found if each)
    return wide, high


def _apart(svg: str, number: int) -> str:
    """A figure whose names (of clipping paths) no other figure on the sheet has."""
    named = re.sub(r'\bid="([^"]+)"', rf'id="f{number}-\1"', svg)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#f{number}-\1)", named)


def _as_json(found: View, title: str, command: str) -> str:
    return json.dumps({"title": title, "command": command, **found.as_dict()}, ensure_ascii=False, allow_nan=False)


WRITERS: dict[str, Callable[[View, str, str], str | bytes]] = {
    ".html": view_as_html,
    ".json": _as_json,
    ".csv": lambda found, title, command: found.to_csv(),
    ".svg": lambda found, title, command: view_as_svg(found.exhibits()),
    ".png": lambda found, title, command: vl_convert.svg_to_png(view_as_svg(found.exhibits()), scale=PIXELS),
}
"""By the ending of the file."""
