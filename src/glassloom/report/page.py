"""The page: one file that opens offline, from which no request leaves.

Vega is inlined once for all figures. Scripts and styles run by their hashes only, and Vega interprets its expressions
instead of compiling them, so the page needs neither inline code nor eval: text from a corpus can never become code.
"""

import base64
import functools
import hashlib
from importlib import resources

import jinja2
import vl_convert
from markupsafe import Markup

from glassloom.comparison import (
    Comparison,
    Table,
    comparison_table,
    rows_as_csv,
    settings_of,
    table_as_latex,
    table_as_markdown,
)
from glassloom.comparison.seeds import flat
from glassloom.comparison.table import written_setting
from glassloom.comparison.wording import count, listed, quality, visible
from glassloom.errors import sentence
from glassloom.report.colours import colours_of
from glassloom.report.figures import Figure, figures_of


def page_as_html(comparison: Comparison, figures: list[Figure] | None = None) -> str:
    """The whole page as HTML; a comparison of one row becomes the page of a run."""
    scripts = [_vega(), _own("page.js")]
    style = _own("style.css")
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(_source(script) for script in scripts)}",
            f"style-src {_source(style)}",
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    table = comparison_table(comparison)
    return _templates().get_template("page.jinja").render(
        comparison=comparison,
        corpus=comparison.corpus,
        policy=policy,
        scripts=[Markup(script) for script in scripts],
        style=Markup(style),
        figures=figures_of(comparison) if figures is None else figures,
        table=table,
        downloads=_downloads(comparison, table),
        seen=what_you_see(comparison),
        settings=[(setting, setting.settings) for setting in settings_of(comparison.rows)],
        environment=flat(comparison.environment),
        continued=_continued(comparison),
        colours=colours_of(settings_of(comparison.rows)),
        single=len(settings_of(comparison.rows)) < 2,
    )  # fmt: skip


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
        f"{count(corpus.vocabulary)} kinds of token), and judged on a part of it that no model "
        f"saw. {sentence(comparison.budget)} {meaning}; lower is better."
    )


def _continued(comparison: Comparison) -> list[dict[str, object]]:
    """Samples by prompt: the true continuation, then what each model wrote."""
    setting_of = {row.id: row.setting for row in comparison.rows}
    groups: dict[tuple[str, str | None], list[dict[str, str]]] = {}
    for sample in comparison.samples:
        group = groups.setdefault((sample.prompt, sample.truth), [])
        group.append({"id": sample.id, "setting": setting_of.get(sample.id, sample.id), "text": visible(sample.text)})
    return [
        {"prompt": visible(prompt), "truth": None if truth is None else visible(truth), "texts": texts}
        for (prompt, truth), texts in groups.items()
    ]


def _downloads(comparison: Comparison, table: Table) -> dict[str, str]:
    """The table's files as links that hold their own content."""
    files = {
        "results.csv": ("text/csv", rows_as_csv(comparison.rows)),
        "table.tex": ("application/x-tex", table_as_latex(table)),
        "table.md": ("text/markdown", table_as_markdown(table)),
    }
    return {name: f"data:{kind};charset=utf-8;base64,{_base64(text.encode())}" for name, (kind, text) in files.items()}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed as one script without imports."""
    script = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub lacks the default
    assert "</script" not in script.lower(), "the bundle would end its own script element"
    assert "<!--" not in script
    return str(script)


@functools.cache
def _own(name: str) -> str:
    return resources.files("glassloom.report").joinpath(name).read_text(encoding="utf-8")


def _source(content: str) -> str:
    return f"'sha256-{_base64(hashlib.sha256(content.encode()).digest())}'"


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("glassloom.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(written=written_setting, count=count, visible=visible)
    environment.globals.update(quality=quality)
    return environment
