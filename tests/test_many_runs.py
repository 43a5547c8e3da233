"""Very many runs in one comparison stay readable: sentences, ladder, samples and a terminal's table are bounded."""

import random
import re
from dataclasses import replace
from pathlib import Path

import pytest

from comparisons import corpus, made_up, row
from glassloom.cli.compare import MOST_LINES, shortened
from glassloom.comparison import Comparison, comparison_table, recommend
from glassloom.comparison.compare import MOST_SAMPLES, shown_writing
from glassloom.comparison.wording import listed
from glassloom.report import page_as_html
from glassloom.report.figures import MOST_BARS, figures_of
from glassloom.runs import Run

COUNT = 120


@pytest.fixture(scope="module")
def many() -> Comparison:
    """120 settings, the n-th best at place n; 40 more diverged, and one failed in its own way."""
    rng = random.Random(5)
    places = list(range(COUNT))
    rng.shuffle(places)
    rows = [row(f"run-{place:03d}", 10.0 + place, 5.0 + place / 100) for place in places]
    rows += [row(f"lost-{n:02d}", None, None, status="diverged", reason="the loss is NaN.") for n in range(40)]
    rows += [row("odd", None, None, status="failed", reason="no memory")]
    made = made_up(seeds=1, diverged=False)
    return replace(made, rows=tuple(rows), curves=(), samples=(), copies=(), recommendation=recommend(rows, corpus()))


def test_sentences_name_ten_of_many_and_group_what_was_left_out(many: Comparison) -> None:
    said = many.recommendation.sentences
    assert "run-000" in said[0]
    lost = [sentence for sentence in said if "left out" in sentence]
    assert lost == [
        "lost-00, lost-01, lost-02, lost-03, lost-04, lost-05, lost-06, lost-07, lost-08, lost-09 and 30 more are left "
        "out: each diverged (the loss is NaN).",
        "odd is left out: it failed (no memory).",
    ]
    assert max(len(sentence) for sentence in said) < 400
    few = recommend([row("a", 1, 5.0), row("b", 1, None, status="failed", reason="no memory.")], corpus()).sentences
    assert few[-1] == "b is left out: it failed (no memory)."


def test_the_ladder_has_the_best_and_says_of_how_many(many: Comparison) -> None:
    ladder = next(figure for figure in figures_of(many) if figure.name == "ladder")
    named = {name for words in ladder.words for name in re.findall(r"run-\d+", words)}
    assert named == {f"run-{place:03d}" for place in range(MOST_BARS)}
    assert f"The best {MOST_BARS} of {COUNT}." in ladder.caption
    assert len(ladder.csv.splitlines()) == 1 + COUNT + len(many.baselines), "its file has them all"


def test_a_terminal_shows_the_best_settings_in_the_tables_order(many: Comparison) -> None:
    table = comparison_table(many)
    shown = shortened(table, many)
    assert {line.setting for line in shown.lines} == {f"run-{place:03d}" for place in range(MOST_LINES)}
    numbers = [line.cells[0].text for line in shown.lines]
    assert numbers == sorted(numbers, key=int)
    few = replace(table, lines=table.lines[:5])
    assert shortened(few, many) is few


def test_samples_are_those_of_the_best_runs_in_their_order(many: Comparison) -> None:
    there = [(one.id, Run(Path(one.run))) for one in many.rows]
    shown = [id for id, _ in shown_writing(there, many.rows)]
    assert set(shown) == {f"run-{place:03d}" for place in range(MOST_SAMPLES)}
    assert shown == [id for id, _ in there if id in set(shown)]
    assert shown_writing(there[:MOST_SAMPLES], many.rows) == there[:MOST_SAMPLES]


def test_the_page_scrolls_its_settings_in_a_frame_and_every_run_can_be_found(many: Comparison) -> None:
    page = page_as_html(many)
    assert 'aria-label="Every setting"' in page
    assert all(page.count(f"run-{place:03d}") >= 2 for place in range(COUNT))
    assert 'aria-label="Every setting"' not in page_as_html(made_up(seeds=1))


def test_names_are_all_listed_where_they_are_few() -> None:
    assert listed([str(n) for n in range(20)]) == ", ".join(str(n) for n in range(19)) + " and 19"
    assert listed([str(n) for n in range(21)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 11 more"
