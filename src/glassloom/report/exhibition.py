"""A page of sections: exhibits, and comparisons with their tables and curves, each part with a name of its own."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glassloom.comparison import Comparison
from glassloom.comparison.seeds import flat
from glassloom.exhibits import Exhibit
from glassloom.report.document import large, render, small
from glassloom.report.drawing import Shown, as_svg, show
from glassloom.report.figures import drawings_of
from glassloom.report.files import write_figures, write_whole
from glassloom.report.page import Part, part_of

NAME = re.compile(r"[a-z0-9-]+")
MANIFEST = "page.json"
"""Beside the page: which files in `figures` and `tables` it wrote. Whatever else lies there is the user's."""
WRITTEN = re.compile(r"(figures|tables)/[a-z0-9-]+\.(svg|png|csv|tex|md)")
CONTENTS = 3
"""A page of more sections than this begins with a table of contents."""


@dataclass(frozen=True, kw_only=True)
class Section:
    """A stretch of the page: a comparison's table and figures, if it has one, then exhibits in order.

    `name` stands before the names of the comparison's files (`[a-z0-9-]+`); without one it is made from the title.
    """

    title: str
    exhibits: tuple[Exhibit, ...] = ()
    comparison: Comparison | None = None
    name: str = ""
    about: str = ""
    """What it is about, in prose below the title."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole page: what it is about, how it came about, and its sections. `downloads` are texts by file name.

    >>> from glassloom.exhibits import Prose
    >>> answer = Prose(name="answer", title="Is it the floor?", paragraphs=("Yes: 3.073 nats.",))
    >>> page = Page(title="Languages", about="Three languages.", date="2026-11-21T09:00:00+00:00",
    ...             command="glassloom run formal-languages", sections=(Section(title="ndfa", exhibits=(answer,)),))
    >>> "3.073 nats" in exhibition_as_html(page)
    True
    """

    title: str
    about: str
    date: str
    """ISO 8601."""
    command: str
    """What to type to repeat it."""
    sections: tuple[Section, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
    """Single figures, told at the top."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    downloads: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stretch:
    """A section made ready for the template."""

    name: str
    title: str
    about: str
    part: Part | None
    first_figure: int
    """The number of the comparison's first figure."""
    shown: list[Shown]


def exhibition_as_html(page: Page) -> str:
    """The whole page as HTML."""
    return _as_html(page, _stretches(page))


def write_page(page: Page, folder: Path | str) -> Path:
    """Write `report.html`, `figures/NAME.svg`, `.png`, `.csv`, `tables/NAME.csv`, and the downloads; the page's path.

    A comparison's figures and tables have the section's name before their own. What an earlier page wrote into the
    folders `figures` and `tables`, by its `page.json`, and this one does not show any more, is taken away; no other
    file is. Every file is written whole, the page last. Raises StorageError where the folder cannot be written.
    """
    folder = Path(folder)
    stretches = _stretches(page)
    drawings: dict[str, str] = {}
    texts: dict[str, str] = {}
    for stretch in stretches:
        if stretch.part is not None:
            drawings |= drawings_of(stretch.part.drawn)
            texts |= {f"tables/{name}": content for name, content in stretch.part.files.items()}
        for shown in stretch.shown:
            if (svg := as_svg(shown)) is not None:
                drawings[shown.exhibit.name] = svg
            if shown.csv is not None:
                place = "tables" if shown.kind == "table" else "figures"
                texts[f"{place}/{shown.exhibit.name}.csv"] = shown.csv
    kept = {*texts, *(f"figures/{name}.{kind}" for name in drawings for kind in ("svg", "png"))}
    before = _written_before(folder)
    _note(folder, before | kept)  # so that a page that is killed half-way leaves nothing that no one owns
    for name, content in {**texts, **page.downloads}.items():
        write_whole(folder / name, content)
    write_figures(drawings, folder / "figures")
    for name in before - kept:
        (folder / name).unlink(missing_ok=True)
    _note(folder, kept)
    path = folder / "report.html"
    write_whole(path, _as_html(page, stretches))
    return path


def _as_html(page: Page, stretches: Sequence[Stretch]) -> str:
    return render(
        "exhibition.jinja",
        title=page.title,
        date=page.date,
        page=page,
        stretches=stretches,
        contents=len(stretches) > CONTENTS,
        charts=any(one.part is not None or any(shown.kind == "chart" for shown in one.shown) for one in stretches),
        runs=_runs(stretches),
        environment=flat(page.environment),
        links=small(page.downloads),
        packed=large(page.downloads),
    )


def _stretches(page: Page) -> list[Stretch]:
    figures, tables = 0, 0
    stretches = []
    for place, section in enumerate(page.sections, start=1):
        name = section.name or _slug(section.title) or f"section-{place}"
        assert NAME.fullmatch(name), f"a section's name has small letters, digits and hyphens: {name!r}"
        part = None if section.comparison is None else part_of(section.comparison, prefix=f"{name}-")
        first = figures + 1
        figures += 0 if part is None else len(part.figures)
        made = []
        for shown in map(show, section.exhibits):
            figures += shown.figure is not None
            tables += shown.kind == "table"
            made.append(replace(shown, number=figures if shown.figure is not None else tables))
        stretches.append(Stretch(name, section.title, section.about, part, first, made))
    _check_names(stretches)
    return stretches


def _check_names(stretches: Sequence[Stretch]) -> None:
    names = list(_names(stretches))
    for name in names:
        assert NAME.fullmatch(name), f"an exhibit's name has small letters, digits and hyphens: {name!r}"
    twice = sorted({name for name in names if names.count(name) > 1})
    assert not twice, f"names on a page differ, and these do not: {', '.join(twice)}"


def _names(stretches: Sequence[Stretch]) -> Iterator[str]:
    for stretch in stretches:
        yield f"section-{stretch.name}"
        if stretch.part is not None:
            yield from (figure.name for figure in stretch.part.figures)
            yield from (shown.exhibit.name for shown in (*stretch.part.tables, *stretch.part.facts))
        yield from (shown.exhibit.name for shown in stretch.shown)


def _runs(stretches: Sequence[Stretch]) -> dict[str, list[str]]:
    """The runs of every setting of the page's comparisons, by their ids."""
    runs: dict[str, list[str]] = {}
    for stretch in stretches:
        for name, ids in ({} if stretch.part is None else stretch.part.runs).items():
            runs[name] = list(dict.fromkeys([*runs.get(name, []), *ids]))
    return runs


def _slug(title: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))


def _written_before(folder: Path) -> set[str]:
    """The files that the page before wrote; where none says so (or it says nonsense), none."""
    try:
        names = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return {name for name in names if isinstance(name, str) and WRITTEN.fullmatch(name)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _note(folder: Path, names: set[str]) -> None:
    write_whole(folder / MANIFEST, json.dumps({"files": sorted(names)}, indent=1))
