"""A report as PDF, LaTeX and Markdown; runs chosen by a pattern; the tables of settings against results."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from commands import TINY, Commands
from comparisons import HEBREW, MARKUP, made_up
from glassloom.comparison import Comparison
from glassloom.errors import InputError
from glassloom.report import FORMS, write_form
from glassloom.report.blocks import Quote
from glassloom.report.markdown import fenced
from glassloom.report.tables import NAMES, baselines_table, effects_table, runs_table, sizes_table

HOSTILE = rf"{MARKUP} \end{{document}} \input{{/etc/passwd}} ``` $x_1^2$ % & # | ~ {{{{ 1 }}}} a\b"


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """Hebrew, and a run whose name and text try to be something else."""
    whole = made_up(seeds=1, points=12, text=HEBREW, title=f"Four {HOSTILE}")
    evil = replace(whole.rows[0], setting=HOSTILE, reason=HOSTILE)
    sample = replace(whole.samples[0], text=f"a\n{HOSTILE}\n\nb")
    return replace(whole, rows=(evil, *whole.rows[1:]), samples=(sample, *whole.samples[1:]), command=HOSTILE)


@pytest.fixture(scope="module")
def grid() -> Comparison:
    """Two architectures, each with two dropouts and two seeds: losses of 1.0 to 1.7 nats."""
    whole = made_up(seeds=1, points=6, models=("gru", "lstm"), diverged=False)
    rows = []
    for place in range(8):
        model, dropout, seed = ("gru", "lstm")[place // 4], (0.0, 0.2)[place // 2 % 2], place % 2
        nats = 1.0 + place / 10
        rows.append(replace(
            whole.rows[place // 4], id=f"{model} dropout={dropout}-{seed}", setting=f"{model} dropout={dropout}",
            seed=seed, settings={"dropout": dropout, "lr": 0.01}, nats_per_token=nats,
            valid_bits_per_character=nats / math.log(2),
        ))  # fmt: skip
    return replace(whole, rows=tuple(rows))


def test_every_run_stands_in_a_table_with_what_was_set_and_what_came_out(grid: Comparison) -> None:
    table = runs_table(grid)
    assert table is not None
    titles = [column.title for column in table.columns]
    assert titles[:6] == ["run", "architecture", "optimizer", "dropout", "seed", "valid bits per character"]
    assert [row[3:6] for row in table.rows] == [
        (row.settings["dropout"], row.seed, row.valid_bits_per_character) for row in grid.rows
    ]
    assert table.bold == (0,)


def test_the_names_of_the_tables_are_those_that_a_recipe_may_not_take(grid: Comparison) -> None:
    made = [make(grid) for make in (runs_table, effects_table, sizes_table, baselines_table)]
    assert tuple(table.name for table in made if table is not None) == NAMES


def test_of_every_value_of_a_setting_the_best_mean_and_worst_are_told(grid: Comparison) -> None:
    table = effects_table(grid)
    assert table is not None
    bits = [nats / math.log(2) for nats in (1.0, 1.05, 1.1, 1.2, 1.25, 1.3, 1.4, 1.45, 1.5, 1.6, 1.65, 1.7)]
    told = [(*row[:4], *(pytest.approx(value) for value in row[4:])) for row in table.rows]
    assert told == [
        ("dropout", "gru", "0", 2, *bits[:3]), ("dropout", "gru", "0.2", 2, *bits[3:6]),
        ("dropout", "lstm", "0", 2, *bits[6:9]), ("dropout", "lstm", "0.2", 2, *bits[9:]),
    ]  # fmt: skip
    assert effects_table(made_up(diverged=False)) is None, "nothing differs within an architecture"


def test_latex_is_one_balanced_document_whatever_stands_in_it(comparison: Comparison, tmp_path: Path) -> None:
    path = write_form(comparison, tmp_path, "latex")
    text = path.read_text(encoding="utf-8")
    assert text.count(r"\begin{document}") == text.count(r"\end{document}") == 1
    begun, ended = (re.findall(rf"\\{word}\{{(\w+)\}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended)
    assert r"\input" not in text
    bare = re.sub(r"\\[\\{}]", "", text)
    assert bare.count("{") == bare.count("}")
    figures = re.findall(r"\\includegraphics\[width=\\linewidth\]\{(.+?)\}", text)
    assert figures == [f"figures/{name}.pdf" for name in
                       ("ladder", "curves-by-epoch", "curves-by-time", "time-and-quality")]  # fmt: skip
    for figure in figures:
        assert (tmp_path / figure).read_bytes().startswith(b"%PDF-")
    assert rf"\RL{{{HEBREW[0].split(',')[0].split()[0]}" in text
    for row in comparison.rows[1:]:
        assert row.id.replace("_", r"\_") in text


def test_markdown_says_all_and_is_none_of_what_stands_in_it(comparison: Comparison, tmp_path: Path) -> None:
    text = write_form(comparison, tmp_path, "markdown").read_text(encoding="utf-8")
    outside = re.sub(r"^(`{3,})\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<script", outside)
    assert "`" not in outside.replace("\\`", "")
    for figure in re.findall(r"\]\((figures/.+?)\)", outside):
        assert (tmp_path / figure).read_text(encoding="utf-8").startswith("<svg")
    for heading in ("What to take", "Tables", "Figures", "What they write", "How it was done", "The machine"):
        assert re.search(rf"^##+ {heading}$", outside, re.MULTILINE)
    assert HEBREW[2].strip() in text
    assert comparison.corpus.sha256 in outside
    assert fenced("a ```` b").startswith("`````\n")


def test_a_pdf_is_printed_with_the_figures_in_it(comparison: Comparison, tmp_path: Path) -> None:
    content = write_form(comparison, tmp_path, "pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    [pages] = [int(found) for found in re.findall(rb"/Type /Pages\b.*?/Count (\d+)", content, re.DOTALL)][:1]
    assert pages >= 4
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"], "nothing else is left behind"


def test_without_chromium_a_sentence_says_what_to_install(
    comparison: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"Chromium.*To do: install it") as refused:
        write_form(comparison, tmp_path / "new", "pdf")
    assert str(refused.value).count("\n") == 0
    assert not (tmp_path / "new").exists()


def test_another_form_is_refused_with_the_nearest(comparison: Comparison, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean markdown"):
        write_form(comparison, tmp_path, "markdwon")
    assert FORMS == ("html", "pdf", "latex", "markdown")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """Three tiny runs on one text: gru-1, gru-2, rnn-1."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        for model, seed in (("gru", 1), ("gru", 2), ("rnn", 1)):
            asked = ["train", str(folder / "text.txt"), "--runs", str(folder), "--name", f"{model}-{seed}"]
            assert run([*asked, "--model", model, "--seed", str(seed), *TINY]) == 0
    return folder


def ids(page: Path) -> list[str]:
    return [row["id"] for row in json.loads((page.parent / "results.json").read_text(encoding="utf-8"))["rows"]]


def test_runs_are_named_by_patterns(commands: Commands, runs: Path, tmp_path: Path) -> None:
    for number, (asked, expected) in enumerate([
        (["gru*"], ["gru-1", "gru-2"]),
        (["*-1"], ["gru-1", "rnn-1"]),
        (["rnn-1", "gru-?", "*"], ["rnn-1", "gru-1", "gru-2"]),
        ([str(runs / "*-[2]"), "rnn-1"], ["gru-2", "rnn-1"]),
    ]):  # fmt: skip
        out = tmp_path / str(number)
        page = Path(commands.done("report", *asked, "--runs", runs, "--out", out).out.strip())
        assert ids(page) == expected
    refused = commands.refused("report", "lstm*", "--runs", runs, "--out", tmp_path / "none")
    assert "No run fits lstm*" in refused


def test_a_report_is_written_in_the_form_asked_for(commands: Commands, runs: Path, tmp_path: Path) -> None:
    alone = commands.done("report", "gru-1", "--runs", runs, "--to", "markdown").out.strip()
    assert Path(alone) == runs / "gru-1" / "report.md"
    shutil.rmtree(runs / "gru-1" / "figures")
    asked = ["report", "gru-1", "--runs", runs, "--to", "latex", "--out", tmp_path / "one"]
    single = Path(commands.done(*asked).out.strip())
    text = single.read_text(encoding="utf-8")
    assert r"\section{What it reached}" in text
    for figure in re.findall(r"\\includegraphics\[width=\\linewidth\]\{(.+?)\}", text):
        assert (single.parent / figure).read_bytes().startswith(b"%PDF-")
    printed = Path(commands.done("report", "gru-1", "--runs", runs, "--to", "pdf").out.strip())
    assert printed == runs / "gru-1" / "report.pdf"
    assert printed.read_bytes().startswith(b"%PDF-")
    both = commands.done("report", "gru*", "--runs", runs, "--to", "latex", "--out", tmp_path, "--json").json
    assert both == {"report": str(tmp_path / "report.tex")}
    assert "did you mean html" in commands.refused("report", "gru-1", "--runs", runs, "--to", "htm")
    named_like_a_file = commands.refused("report", "gru-1", "--runs", runs, "--out", tmp_path / "mine.html")
    assert f"To do: say --out {tmp_path / 'mine'}" in named_like_a_file


def test_what_runs_leftwards_is_set_so_as_a_whole_with_what_runs_rightwards_in_it() -> None:
    from glassloom.comparison.formats import latex
    from glassloom.report.latex import _block

    assert latex("שלום, עולם.") == r"\RL{שלום, עולם.}", "the full stop is at the left end"
    assert latex("שלום (gru-2, 12.5) סוף!") == r"\RL{שלום (\LR{gru-2, 12.5}) סוף!}"
    assert latex("gru: שלום.") == r"gru: \RL{שלום}."
    assert latex("50% שלום") == r"\RL{\LR{50}\% שלום}"
    quote = _block(Quote("gru", "שלום", ", עולם."))
    assert r"\begin{quote}\raggedleft" in quote
    assert r"\raggedleft" not in _block(Quote("gru", "Hello", " שלום"))


def test_a_line_keeps_its_indentation_and_the_blank_before_a_continuation() -> None:
    from glassloom.report.latex import _lines

    assert _lines("Good ") == "{}Good{} "
    assert _lines("if x:\n  y") == r"{}if x:\\{}~~y"
