"""The table of a comparison, as plain data: one line a setting, sorted by architecture, then optimizer, and numbered.

Where a setting was run with several seeds a cell holds the mean and the standard deviation. The best setting of each
architecture is marked. `glassloom.comparison.formats` writes the table as CSV, LaTeX, Markdown or text.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from glassloom.comparison.results import Comparison, Reading, Row
from glassloom.comparison.seeds import Setting, Spread, deciding_figure, settings_of
from glassloom.comparison.wording import count, listed, quality
from glassloom.errors import sentence

WORDS = {"diverged": "diverged", "failed": "failed", "interrupted": "interrupted"}


@dataclass(frozen=True)
class Column:
    """What a column holds; `numeric` ones are aligned to the right."""

    key: str
    title: str
    numeric: bool = True


@dataclass(frozen=True)
class Cell:
    """A cell as it is written, and the value that it sorts by (None goes last)."""

    text: str
    value: float | str | None
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """One setting; `best` is true for the best of its architecture."""

    setting: str
    model: str
    best: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Columns and lines."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    note: str
    """What the marks and figures mean."""


def comparison_table(comparison: Comparison) -> Table:
    """One line a setting, numbered, sorted by architecture, then optimizer; the best of each architecture in bold."""
    settings = settings_of(comparison.rows)
    figure = deciding_figure(comparison.rows, comparison.corpus)
    best = _best_of_each_model(settings, figure)
    several = any(len(setting.rows) > 1 for setting in settings)
    varied = varied_settings(settings)
    columns = _columns(comparison, varied, several)
    first = "setting" if any(column.key == "setting" for column in columns) else "model"
    bold = {first, "valid_bits_per_character"}
    if not comparison.corpus.mixed:  # else it is no figure to be best in
        bold.add("valid_perplexity_fair")
    lines = []
    for number, setting in enumerate(settings, start=1):
        is_best = setting.name in best
        reading = setting.rows[0].read_as(comparison.corpus)
        cells = [_cell(column, number, setting, reading, is_best, bold) for column in columns]
        lines.append(Line(setting.name, setting.model, is_best, tuple(cells)))
    return Table(tuple(columns), tuple(lines), _note(settings, comparison, several))


ALWAYS_TOLD = {"layers", "width", "lr"}
"""Settings that have a column wherever they differ; the others only where they differ within an architecture."""


def varied_settings(settings: Sequence[Setting]) -> list[str]:
    """The names of what was varied: what differs within an architecture, and the sizes and rates between them.

    Each architecture has its own defaults for much else; that stands with the settings, below the table.
    """
    shown = {"architecture", "model", "optimizer", "train.optimizer"}
    varied = []
    for name in dict.fromkeys(name for setting in settings for name in setting.settings):
        having = [setting for setting in settings if name in setting.settings]
        groups = [having] if name.split(".")[-1] in ALWAYS_TOLD else _by_model(having)
        values = [{written_setting(setting.settings[name]) for setting in group} for group in groups]
        if name not in shown and any(len(different) > 1 for different in values):
            varied.append(name)
    return varied


def _by_model(settings: Sequence[Setting]) -> list[list[Setting]]:
    models: dict[str, list[Setting]] = {}
    for setting in settings:
        models.setdefault(setting.model, []).append(setting)
    return list(models.values())


def written_setting(value: Any) -> str:
    """A setting's value as a cell shows it.

    >>> written_setting(0.0001), written_setting([5, 5]), written_setting(None), written_setting("adam")
    ('0.0001', '[5, 5]', 'none', 'adam')
    """
    if value is None:
        return "none"
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


def _columns(comparison: Comparison, varied: list[str], several: bool) -> list[Column]:
    known = {name for row in comparison.rows for name, value in vars(row).items() if value is not None}
    named = any(row.setting != row.model for row in comparison.rows)
    in_bits = comparison.corpus.unit == "bits_per_character"
    names_tokens = comparison.corpus.mixed and not any(name.split(".")[-1] == "tokenizer" for name in varied)
    memorising = any(row.read_as(comparison.corpus).memorises for row in comparison.rows)
    wanted = [
        Column("number", "No."),
        *([Column("setting", "setting", numeric=False)] if named else []),
        Column("model", "architecture", numeric=False),
        Column("optimizer", "optimizer", numeric=False),
        *([Column("judged_on", "judged on", numeric=False)] if memorising else []),
        *([Column("tokenizer", "tokens", numeric=False)] if names_tokens else []),
        *[Column(f"settings.{name}", name.split(".")[-1].replace("_", " ")) for name in varied],
        *([Column("valid_bits_per_character", "valid bits/char.")] if in_bits else []),
        Column("valid_perplexity_fair", "valid perplexity, fair"),
        Column("valid_perplexity", "the same, in training"),
        Column("train_perplexity", "train perplexity"),
        Column("seconds", "seconds to best"),
        Column("epoch", "epoch of best"),
        Column("parameters", "parameters"),
        Column("tokens_per_second", "tokens/s"),
        *([Column("seeds", "seeds")] if several else []),
        *([Column("valid_bits_per_byte", "valid bits/byte")] if in_bits else []),
    ]
    always = {"number", "seeds", "judged_on", "tokenizer"}
    return [column for column in wanted if column.key in always | known or column.key.startswith("settings.")]


def _cell(column: Column, number: int, setting: Setting, reading: Reading, is_best: bool, bold: set[str]) -> Cell:
    key = column.key
    marked = is_best and key in bold
    if key == "number":
        return Cell(str(number), number)
    if key == "seeds":
        return Cell(str(len(setting.finished)), len(setting.finished))
    if key == "setting":
        return Cell(setting.name, setting.name, marked)
    if key == "judged_on":
        judged_on = "its training text: memorisation" if reading.memorises else "held-out text"
        return Cell(judged_on, judged_on)
    if key == "tokenizer":
        return Cell(reading.tokenizer, reading.tokenizer)
    if key in ("model", "optimizer"):
        return Cell(getattr(setting, key), getattr(setting, key), marked)
    if key.startswith("settings."):
        if (name := key.removeprefix("settings.")) not in setting.settings:
            return Cell("", None)
        value = setting.settings[name]
        number_or_text = value if isinstance(value, (int, float)) else written_setting(value)
        return Cell(written_setting(value), number_or_text)
    if key == "parameters":
        known = [row.parameters for row in setting.rows if row.parameters is not None]
        return Cell(count(known[0]), known[0]) if known else Cell("", None)
    spread = setting.over_seeds(lambda row: getattr(row, key))
    if spread is None:
        return Cell(_instead(setting) if "valid" in key else "", None)
    write = _WRITERS.get(key, _perplexity)
    written = write(spread.mean) if key in ("epoch", "tokens_per_second") else written_spread(spread, write)
    return Cell(written, spread.mean, marked)


def written_spread(spread: Spread, write: Callable[[float], str]) -> str:
    """Mean ± standard deviation; the mean alone for one seed."""
    mean = write(spread.mean)
    return mean if spread.deviation is None else f"{mean} ± {write(spread.deviation)}"


def _perplexity(value: float) -> str:
    return quality(value, "perplexity")


def _bits(value: float) -> str:
    return quality(value, "bits_per_character")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _epoch(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


_WRITERS: dict[str, Callable[[float], str]] = {
    "epoch": _epoch,
    "seconds": _short,
    "tokens_per_second": count,
    "valid_bits_per_character": _bits,
    "valid_bits_per_byte": _bits,
}


def _instead(setting: Setting) -> str:
    """What stands where a figure would: why no run of the setting has one."""
    return next((WORDS[row.status] for row in setting.rows if row.status != "finished"), "")


def _best_of_each_model(settings: Sequence[Setting], figure: Callable[[Row], float | None]) -> set[str]:
    best: dict[str, tuple[float, str]] = {}
    for setting in settings:
        spread = setting.over_seeds(figure)
        if spread is not None and (setting.model not in best or spread.mean < best[setting.model][0]):
            best[setting.model] = (spread.mean, setting.name)
    return {name for _, name in best.values()}


def _note(settings: Sequence[Setting], comparison: Comparison, several: bool) -> str:
    parts = ["The best setting of each architecture is in bold."] if len(settings) > 1 else []
    if several:
        parts.append("Figures are means over the seeds that finished, ± the standard deviation.")
    protocols = comparison.protocols
    parts.append(f"In training: {sentence(protocols.in_training)} Fair: {sentence(protocols.fair)}")
    parts += _on_tokens(settings, comparison)
    if any(row.read_as(comparison.corpus).memorises for row in comparison.rows):
        parts.append(
            "Memorisation: scored on the very text that was trained on; such a figure says nothing of other text and "
            "is not compared with one of held-out text."
        )
    lost = [row for setting in settings for row in setting.rows if row.status != "finished"]
    if lost:
        told = [
            f"{row.id} {WORDS[row.status]}" + (f" ({row.reason.rstrip('.')})" if row.reason else "") for row in lost
        ]
        parts.append(f"Without figures: {'; '.join(told)}.")
    return " ".join(parts)


def _on_tokens(settings: Sequence[Setting], comparison: Comparison) -> list[str]:
    """What has to be said of tokens that are not the same for all, or do not name every word."""
    parts = []
    if comparison.corpus.mixed:
        parts.append("Perplexities over different tokens do not compare; bits per character do.")
    shares = {
        setting.name: spread.mean
        for setting in settings
        if (spread := setting.over_seeds(lambda row: row.spelling_share)) is not None
    }
    if shares:
        named = listed([f"{share:.1%} in {name}" for name, share in shares.items()])
        parts.append(
            "Bits per character and per byte count the spelling of words that the vocabulary lacks, under a character "
            f"model counted on the training text's words ({named}); in perplexity <unk> is one token."
        )
    return parts
