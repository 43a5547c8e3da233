"""A comparison as a plain sequence of blocks: what a document that is no page is made of.

`as_latex` and `as_markdown` set the same blocks, so that no form says more than another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from glassloom.comparison import Cell, Column, Comparison, Line, Table
from glassloom.comparison.seeds import flat
from glassloom.comparison.table import written_setting
from glassloom.exhibits import Table as TableExhibit
from glassloom.report.drawing import cell_text
from glassloom.report.figures import Figure
from glassloom.report.page import Part


@dataclass(frozen=True)
class Heading:
    """Of a section (level 1) or of a part of one (level 2)."""

    text: str
    level: int = 1


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Grid:
    """A table with its caption; `table.note` is said below it."""

    title: str
    table: Table


@dataclass(frozen=True)
class Picture:
    """A figure: `figures/NAME` and an ending, with what it shows in words."""

    name: str
    title: str
    caption: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Quote:
    """Who wrote it, what it was given, and how it went on."""

    label: str
    prompt: str
    text: str


@dataclass(frozen=True)
class Code:
    """Something to be typed."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    lines: dict[str, str] = field(default_factory=dict)


Block: TypeAlias = Heading | Paragraph | Grid | Picture | Quote | Code | Facts


def blocks_of(part: Part) -> list[Block]:
    """The whole report: what to take, tables, figures, samples, and how it was done."""
    comparison = part.comparison
    blocks: list[Block] = [Paragraph(part.seen)]
    if comparison.recommendation.sentences:
        blocks += [Heading("What to take" if len(part.settings) > 1 else "What it reached")]
        blocks += [Paragraph(sentence) for sentence in comparison.recommendation.sentences]
    blocks += [Heading("Tables"), Grid("The table", part.table)]
    blocks += [_grid(shown.exhibit) for shown in part.tables]
    blocks += [Heading("Figures"), *map(_picture, _as_files(part.drawn))]
    blocks += _samples(part)
    blocks += [Heading("How it was done"), Heading("To repeat it", 2), Code(comparison.command)]
    blocks += _method(part)
    return blocks


def _as_files(figures: Sequence[Figure]) -> list[Figure]:
    """What the page lets the reader choose stands as files over epochs and over time."""
    return [figure.alone or figure for figure in figures]


def _picture(figure: Figure) -> Picture:
    return Picture(figure.name, figure.title, figure.caption, figure.words)


def _grid(exhibit: TableExhibit) -> Grid:
    columns = tuple(Column(str(place), column.title, column.numeric) for place, column in enumerate(exhibit.columns))
    lines = tuple(
        Line("", "", number in exhibit.bold, tuple(
            Cell(cell_text(value, column), None, number in exhibit.bold)
            for value, column in zip(row, exhibit.columns, strict=True)
        ))
        for number, row in enumerate(exhibit.rows)
    )  # fmt: skip
    return Grid(exhibit.title, Table(columns, lines, exhibit.caption))


def _samples(part: Part) -> list[Block]:
    blocks: list[Block] = [Heading("What they write")] if part.continued else []
    for group in part.continued:
        if group["truth"] is not None:
            blocks.append(Quote("The text itself", group["prompt"], group["truth"]))
        blocks += [Quote(one["id"], group["prompt"], one["text"]) for one in group["texts"]]
    return blocks


def _method(part: Part) -> list[Block]:
    comparison: Comparison = part.comparison
    corpus = comparison.corpus
    about = {
        "Name": corpus.name, "Source": corpus.source, "Split": corpus.split_rule,
        "Tokens": f"{corpus.tokenizer}, {corpus.vocabulary:,} kinds", "SHA-256": corpus.sha256,
    }  # fmt: skip
    judged = {
        "Budget": comparison.budget,
        "In training": comparison.protocols.in_training,
        "Fair": comparison.protocols.fair,
    }
    blocks: list[Block] = [Heading("The text", 2), Facts(about), *(_grid(shown.exhibit) for shown in part.facts)]
    blocks += [Heading("How it was judged", 2), Facts(judged), Heading("Every setting", 2)]
    for setting in part.settings:
        runs = "; ".join(
            f"{row.id}, seed {row.seed}: {row.status}{f' ({row.reason})' if row.reason else ''}" for row in setting.rows
        )
        told = {name: written_setting(value) for name, value in setting.settings.items()}
        blocks += [Paragraph(f"{setting.name}:"), Facts({**told, "runs": runs})]
    machine = {name: written_setting(value) for name, value in flat(comparison.environment).items()}
    return [*blocks, Heading("The machine", 2), Facts({**machine, "Date": comparison.date})]
