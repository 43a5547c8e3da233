"""The tables of a comparison beside its main one: every run, what each setting did, the text's sizes, the baselines."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from glassloom.comparison import Comparison, settings_of
from glassloom.comparison.seeds import deciding_figure, flat
from glassloom.comparison.table import varied_settings, written_setting
from glassloom.comparison.wording import UNITS
from glassloom.exhibits import Column, Table, Value

NAMES = ("runs", "effects", "sizes", "baselines")
"""Of the tables below, in their order."""

FIGURES = {
    "valid_perplexity_fair": ("valid perplexity, fair", ",.3f"),
    "valid_perplexity": ("the same, in training", ",.3f"),
    "train_perplexity": ("train perplexity", ",.3f"),
    "seconds": ("seconds to best", ",.1f"),
    "epoch": ("epoch of best", ".2f"),
    "steps": ("steps", ","),
    "tokens": ("tokens", ","),
    "parameters": ("parameters", ","),
    "tokens_per_second": ("tokens/s", ",.0f"),
}
"""Of a row: the title of its column, and how it is written."""


def runs_table(comparison: Comparison) -> Table | None:
    """One line a run: the settings that differ between runs, against what came out; None of a single run."""
    rows, unit = comparison.rows, comparison.corpus.unit
    if len(rows) < 2:
        return None
    figure = deciding_figure(rows, comparison.corpus)
    varied = varied_settings(settings_of(rows))
    known = [key for key in FIGURES if any(getattr(row, key) is not None for row in rows)]
    in_bits = unit == "bits_per_character"
    found = {row.id: figure(row) for row in rows}
    set_in = [flat(row.settings) for row in rows]
    several_seeds = len({row.seed for row in rows}) > 1
    finished = [row for row in rows if row.status == "finished" and found[row.id] is not None]
    columns = [
        Column("run", numeric=False), Column("architecture", numeric=False), Column("optimizer", numeric=False),
        *(Column(name, numeric=_is_number(set_in, name)) for name in varied),
        *([Column("seed")] if several_seeds else []),
        *([Column(f"valid {UNITS[unit]}", ".4f")] if in_bits else []),
        *(Column(*FIGURES[key]) for key in known),
        Column("state", numeric=False),
    ]  # fmt: skip
    lines: list[tuple[Value, ...]] = []
    for row, settings in zip(rows, set_in, strict=True):
        lines.append((
            row.id, row.model, row.optimizer,
            *(_value(settings[name]) if name in settings else None for name in varied),
            *([row.seed] if several_seeds else []), *([found[row.id]] if in_bits else []),
            *(getattr(row, key) for key in known), row.status,
        ))  # fmt: skip
    best = min(finished, key=lambda row: found[row.id] or 0.0, default=None)
    return Table(
        name="runs", title="Every run: what was set, and what came out", columns=tuple(columns), rows=tuple(lines),
        bold=() if best is None else (rows.index(best),),
        caption="Settings have a column where they differ within an architecture, sizes and learning rates wherever "
        "they differ. The best run is in bold; a dash: not measured, or no such setting.",
    )  # fmt: skip


def effects_table(comparison: Comparison) -> Table | None:
    """Of every value of each setting that differs within an architecture: how many runs, their best and their mean."""
    figure, unit = deciding_figure(comparison.rows, comparison.corpus), comparison.corpus.unit
    format_ = ".4f" if unit == "bits_per_character" else ",.2f"
    lines: list[tuple[Value, ...]] = []
    varied = varied_settings(settings_of(comparison.rows))
    set_in = [(row, flat(row.settings)) for row in comparison.rows]
    for name in varied:
        groups: dict[tuple[str, str], list[float]] = {}
        for row, settings in set_in:
            found = figure(row) if row.status == "finished" else None
            if name in settings and found is not None:
                groups.setdefault((row.model, written_setting(settings[name])), []).append(found)
        values = Counter(model for model, _ in groups)
        told = {model for model, count in values.items() if count > 1}
        lines += [
            (name, model, value, len(losses), min(losses), statistics.fmean(losses), max(losses))
            for (model, value), losses in groups.items()
            if model in told
        ]
    if not lines:
        return None
    columns = (
        Column("setting", numeric=False), Column("architecture", numeric=False), Column("value"), Column("runs"),
        Column("best", format_), Column("mean", format_), Column("worst", format_),
    )  # fmt: skip
    return Table(
        name="effects", title="What each setting did", columns=columns, rows=tuple(lines),
        caption=f"Validation {UNITS[unit]}, lower is better, of the finished runs of an architecture that had this "
        "value, whatever else they had: where several settings differ at once, a mean is over the others.",
    )  # fmt: skip


def sizes_table(comparison: Comparison) -> Table:
    """How long each part of the text is."""
    corpus = comparison.corpus
    return Table(
        name="sizes", title="Sizes of the text", caption="Tokens as the first run read them.",
        columns=(Column("part", numeric=False), *(Column(unit, ",") for unit in ("tokens", "characters", "bytes"))),
        rows=tuple((name, size.tokens, size.characters, size.bytes)
                   for name, size in corpus.sizes.items() if size.tokens),
    )  # fmt: skip


def baselines_table(comparison: Comparison) -> Table | None:
    """What simple methods reach on the same text, in four units."""
    if not comparison.baselines:
        return None
    where = (
        "the very text that they were counted on" if comparison.corpus.memorises else "the validation text, which they "
        "were not counted on"
    )  # fmt: skip
    return Table(
        name="baselines", title="What simple methods reach", caption=f"On {where}; lower is better.",
        columns=(Column("method", numeric=False), Column("nats per token", ".4f"), Column("perplexity", ",.2f"),
                 Column("bits per character", ".4f"), Column("bits per byte", ".4f")),
        rows=tuple((name, line.nats_per_token, line.perplexity, line.bits_per_character, line.bits_per_byte)
                   for name, line in comparison.baselines.items()),
    )  # fmt: skip


def _is_number(set_in: Sequence[Mapping[str, object]], name: str) -> bool:
    values = [value for settings in set_in if (value := settings.get(name)) is not None]
    return all(isinstance(value, (int, float)) for value in values)


def _value(value: object) -> Value:
    return value if isinstance(value, (int, float)) else written_setting(value)
