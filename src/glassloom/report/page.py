"""A comparison as a page of its own, or as a part of a longer one."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from glassloom.comparison import (
    Comparison,
    Setting,
    Table,
    comparison_table,
    rows_as_csv,
    settings_of,
    table_as_latex,
    table_as_markdown,
)
from glassloom.comparison.seeds import flat
from glassloom.comparison.wording import count, listed, visible
from glassloom.errors import sentence
from glassloom.exhibits import Table as TableExhibit
from glassloom.report.colours import colours_of
from glassloom.report.copies import copies_figures
from glassloom.report.document import as_links, render
from glassloom.report.drawing import Shown, show
from glassloom.report.figures import Figure, figures_of
from glassloom.report.tables import baselines_table, effects_table, runs_table, sizes_table

MANY_SAMPLES = 8
"""Samples of more runs than this on one prompt are folded away."""


@dataclass(frozen=True)
class Part:
    """A comparison made ready for the templates. `prefix` stands before the names of its figures and files."""

    comparison: Comparison
    prefix: str
    table: Table
    figures: list[Figure]
    drawn: list[Figure]
    """The same and those that are files only."""
    files: dict[str, str]
    """The table's files by name, with their content."""
    links: dict[str, str]
    settings: list[Setting]
    colours: dict[str, str]
    continued: list[dict[str, Any]]
    tables: list[Shown]
    """Beside the main one: every run, and what each setting did."""
    facts: list[Shown]
    """The sizes of the text, and the baselines."""
    runs: dict[str, list[str]]
    """The runs of each setting, by their ids."""
    seen: str
    """One paragraph for somebody who opens the page and knows nothing."""


def all_figures(comparison: Comparison) -> list[Figure]:
    """Every figure that a comparison's page shows."""
    return [*figures_of(comparison), *copies_figures(comparison)]


def part_of(comparison: Comparison, figures: list[Figure] | None = None, prefix: str = "") -> Part:
    """Everything of a comparison that a page shows."""
    table = comparison_table(comparison)
    settings = settings_of(comparison.rows)
    drawn = all_figures(comparison) if figures is None else figures
    named = [replace(figure, name=prefix + figure.name) for figure in drawn]
    files = {
        f"{prefix}results.csv": rows_as_csv(comparison.rows),
        f"{prefix}table.tex": table_as_latex(table),
        f"{prefix}table.md": table_as_markdown(table),
    }
    return Part(
        comparison=comparison,
        prefix=prefix,
        table=table,
        figures=[figure for figure in named if figure.on_page],
        drawn=named,
        files=files,
        links=as_links(files),
        settings=settings,
        colours=colours_of(settings),
        continued=_continued(comparison),
        tables=_shown([runs_table(comparison), effects_table(comparison)], prefix),
        facts=_shown([sizes_table(comparison), baselines_table(comparison)], prefix),
        runs={setting.name: [row.id for row in setting.rows] for setting in settings},
        seen=what_you_see(comparison),
    )


def page_as_html(comparison: Comparison, figures: list[Figure] | None = None) -> str:
    """The whole page as HTML; a comparison of one row becomes the page of a run."""
    part = part_of(comparison, figures)
    numbers = itertools.count(2)
    part = replace(
        part,
        tables=[replace(shown, number=next(numbers)) for shown in part.tables],
        facts=[replace(shown, number=next(numbers)) for shown in part.facts],
    )
    return render(
        "comparison.jinja",
        title=comparison.title,
        date=comparison.date,
        part=part,
        runs=part.runs,
        environment=flat(comparison.environment),
    )


def _shown(tables: Sequence[TableExhibit | None], prefix: str) -> list[Shown]:
    return [show(replace(table, name=prefix + table.name)) for table in tables if table is not None]


def what_you_see(comparison: Comparison) -> str:
    """One paragraph for somebody who opens the page and knows nothing."""
    corpus = comparison.corpus
    models = list(dict.fromkeys(row.model for row in comparison.rows))
    rows = len(comparison.rows)
    characters = sum(size.characters for size in corpus.sizes.values())
    runs = f"{rows} runs of {listed(models)} were" if rows > 1 else f"One run of {listed(models) or 'no model'} was"
    meaning = (
        "Perplexity is the number of equally likely words that the model still hesitates between"
        if corpus.unit == "perplexity"
        else "Bits per character is what the model would still need to be told to know the next character"
    )
    return (
        f"{runs} trained on the text {corpus.name} ({count(characters)} characters; tokenizer {corpus.tokenizer}, "
        f"{count(corpus.vocabulary)} kinds of token), and judged on {judged_in_words(comparison)} "
        f"{sentence(comparison.budget)} {meaning}; lower is better."
    )


def judged_in_words(comparison: Comparison) -> str:
    """On which text the models were judged: one that none of them saw, or the very one that they were trained on."""
    memorising = [row.id for row in comparison.rows if row.read_as(comparison.corpus).memorises]
    if not memorising:
        return "a part of it that no model saw."
    if len(memorising) == len(comparison.rows):
        return (
            "the very text that they were trained on. This is memorisation: it tells who knows the text by heart, and "
            "nothing of other text."
        )
    which = "was" if len(memorising) == 1 else "were"
    return (
        f"a part of it that they did not see. Only {listed(memorising)} {which} trained on all of it and judged on "
        "that very text, which is memorisation and is not compared with the rest."
    )


def _continued(comparison: Comparison) -> list[dict[str, Any]]:
    """Samples by prompt: the true continuation, then what each model wrote."""
    setting_of = {row.id: row.setting for row in comparison.rows}
    groups: dict[tuple[str, str | None], list[dict[str, str]]] = {}
    for sample in comparison.samples:
        group = groups.setdefault((sample.prompt, sample.truth), [])
        group.append({"id": sample.id, "setting": setting_of.get(sample.id, sample.id), "text": visible(sample.text)})
    return [
        {
            "prompt": visible(prompt),
            "truth": None if truth is None else visible(truth),
            "texts": texts,
            "many": len(texts) > MANY_SAMPLES,
        }
        for (prompt, truth), texts in groups.items()
    ]
