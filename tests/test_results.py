"""The plain data of a comparison, and its table in every format."""

import csv
import dataclasses
import io
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparisons import HEBREW, corpus, made_up, row
from glassloom.comparison import (
    Comparison,
    comparison_table,
    rows_as_csv,
    settings_of,
    table_as_latex,
    table_as_markdown,
    table_as_text,
)
from glassloom.comparison.formats import latex, markdown
from glassloom.errors import InputError

KEYS_FOR_MACHINES = [
    "id",
    "model",
    "seed",
    "settings",
    "epoch",
    "seconds",
    "train_perplexity",
    "valid_perplexity",
    "valid_perplexity_fair",
    "valid_bits_per_character",
]


def test_a_comparison_goes_to_json_and_back_without_loss() -> None:
    for comparison in (made_up(), made_up(text=HEBREW, tokenizer="word")):
        assert Comparison.from_json(comparison.to_json()) == comparison


def test_rows_have_the_keys_promised_to_machines() -> None:
    for line in json.loads(made_up().to_json())["rows"]:
        assert set(KEYS_FOR_MACHINES) <= set(line)


@given(st.floats())
def test_any_float_makes_valid_json_and_what_is_not_finite_is_null_with_a_status(value: float) -> None:
    one = row("a", value, 4.0, settings={"clip_norm": value})
    comparison = dataclasses.replace(made_up(seeds=1, points=6), rows=(one,))
    text = comparison.to_json()
    read = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert Comparison.from_json(text) == comparison
    assert (read["rows"][0]["seconds"] is None) == (not math.isfinite(value))
    assert (read["rows"][0]["status"] == "diverged") == (not math.isfinite(value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["rows"][0].pop("seed"), r"lack rows\.0\.seed"),
        (lambda data: data["rows"][0].update(epochs=3), r"unknown key, rows\.0\.epochs.*did you mean epoch\?"),
        (lambda data: data["corpus"].update(vocabulary="many"), r"corpus\.vocabulary does not fit"),
        (lambda data: data["rows"][0].update(status="lost"), r"rows\.0\.status does not fit"),
        (lambda data: data.pop("title"), "lack title"),
    ],
)
def test_keys_that_are_missing_unknown_or_of_another_type_are_refused_by_name(change, said) -> None:
    data = json.loads(made_up(seeds=1, points=6).to_json())
    change(data)
    with pytest.raises(InputError, match=said):
        Comparison.from_json(json.dumps(data))


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(InputError, match="not JSON"):
        Comparison.from_json("{half")


def test_rows_are_sorted_by_architecture_then_optimizer_and_numbered() -> None:
    rows = [row("c", 1, 3, "rnn"), row("b", 1, 3, "gru", optimizer="sgd"), row("a", 1, 3, "gru", optimizer="adam")]
    table = comparison_table(dataclasses.replace(made_up(), rows=tuple(rows)))
    assert [line.cells[0].text for line in table.lines] == ["1", "2", "3"]
    assert [line.setting for line in table.lines] == ["a", "b", "c"]


def test_the_best_of_each_architecture_is_marked_by_the_fair_figure() -> None:
    rows = [
        row("a", 1, 3.0, "gru", nats_per_token=2.0),
        row("b", 1, 4.0, "gru", nats_per_token=1.0),
        row("c", 1, 9.0, "rnn", nats_per_token=3.0),
        row("d", 1, 1.0, "rnn", status="diverged", reason="the loss was infinite"),
    ]
    table = comparison_table(dataclasses.replace(made_up(), rows=tuple(rows)))
    assert [line.setting for line in table.lines if line.best] == ["b", "c"]
    bold = [cell.text for line in table.lines for cell in line.cells if cell.bold]
    assert bold[0] == "b"
    assert len(bold) == 4


def test_seeds_become_mean_and_spread() -> None:
    rows = [row("a-1", 1, 3.0, setting="a"), row("a-2", 3, 5.0, setting="a", seed=2)]
    table = comparison_table(dataclasses.replace(made_up(), corpus=corpus("word"), rows=tuple(rows)))
    cells = {column.key: cell.text for column, cell in zip(table.columns, table.lines[0].cells, strict=True)}
    assert len(table.lines) == 1
    assert cells["valid_perplexity_fair"] == "4.00 ± 1.41"
    assert (cells["seconds"], cells["seeds"]) == ("2.0 ± 1.4", "2")


def test_a_row_that_diverged_says_so_where_its_figures_would_stand() -> None:
    table = comparison_table(made_up())
    (lost,) = [line for line in table.lines if line.setting == "rnn lr=1"]
    assert "diverged" in [cell.text for cell in lost.cells]
    assert "rnn lr=1-1 diverged (the training loss was not finite at step 212)" in table.note


def test_what_was_varied_has_a_column_and_what_was_not_has_none() -> None:
    keys = [column.key for column in comparison_table(made_up()).columns]
    assert "settings.lr" in keys
    assert "settings.width" not in keys
    assert "settings.heads" not in keys, "only one architecture has it, with one value"


def test_grouped_settings_are_read_by_their_full_names() -> None:
    rows = [row("a", 1, 2, settings={"model": {"width": 8}}), row("b", 1, 2, settings={"model": {"width": 16}})]
    assert [setting.settings for setting in settings_of(rows)] == [{"model.width": 8}, {"model.width": 16}]
    table = comparison_table(dataclasses.replace(made_up(), rows=tuple(rows)))
    assert "settings.model.width" in [column.key for column in table.columns]


def test_csv_holds_every_row_unrounded() -> None:
    comparison = made_up()
    lines = list(csv.DictReader(io.StringIO(rows_as_csv(comparison.rows))))
    assert len(lines) == len(comparison.rows)
    for line, one in zip(lines, comparison.rows, strict=True):
        assert line["id"] == one.id
        assert line["seconds"] == ("" if one.seconds is None else str(one.seconds))
        assert float(line["settings.lr"]) == one.settings["lr"]


def test_latex_has_as_many_cells_in_every_line_and_sets_the_best_in_bold() -> None:
    comparison = made_up(seeds=1)
    text = table_as_latex(comparison_table(comparison))
    lines = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len({len(re.findall(r"(?<!\\)&", line)) for line in lines}) == 1
    assert len(lines) == 1 + len(settings_of(comparison.rows))
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert r"\textbf{transformer}" in text
    assert r"\shortstack[r]{valid\\perplexity,\\fair}" in lines[0], "narrow numbers need no wide title"


def test_latex_escapes_every_sign_that_means_something() -> None:
    assert latex("&%$#_{}") == r"\&\%\$\#\_\{\}"
    assert latex("\\~^") == r"\textbackslash{}\textasciitilde{}\textasciicircum{}"
    assert latex("a\nb\x00") == "a b␀"
    assert latex("poems: שירי ביאליק, 1905") == r"poems: \RL{שירי ביאליק}, 1905"
    assert latex("\u202eevil") == "evil", "marks of direction turn the rest of a line around"


def test_markdown_escapes_pipes_and_markup() -> None:
    assert markdown("a|b") == r"a\|b"
    assert markdown("<b>*x*") == r"\<b\>\*x\*"
    rows = (row("a|b\nc", 1, 2),)
    text = table_as_markdown(comparison_table(dataclasses.replace(made_up(), rows=rows)))
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"**a\|b c**" in text


def test_text_for_a_terminal_is_aligned_and_holds_no_control_characters() -> None:
    rows = (row("a\x1b[31m", 1, 2), row("שיר", 1, 2, "lstm"))
    text = table_as_text(comparison_table(dataclasses.replace(made_up(), rows=rows)))
    assert "\x1b" not in text
    assert "a␛[31m*" in text
    assert len({len(line) for line in text.splitlines()[1:]}) == 1


def test_an_empty_comparison_has_an_empty_table() -> None:
    table = comparison_table(dataclasses.replace(made_up(), rows=()))
    assert table.lines == ()
    assert r"\end{tabular}" in table_as_latex(table)
    assert table_as_text(table).count("\n") == 2
