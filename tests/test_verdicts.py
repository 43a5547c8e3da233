"""What may be compared: runs with tokens of their own, and runs that were scored on their training text."""

import dataclasses
import math
from pathlib import Path

import pytest

import glassloom
from comparisons import baseline, corpus, made_up, row
from glassloom.comparison import Comparison, Copies, Curve, Point, Reading, Size, comparison_table, recommend
from glassloom.comparison.seeds import deciding_figure
from glassloom.comparison.verdicts import judge
from glassloom.data import DataSettings, load_text
from glassloom.data.baselines import baselines
from glassloom.experiment.run import run_recipe
from glassloom.recipes import parse
from glassloom.report.copies import copies_exhibits
from glassloom.report.figures import figures_of
from glassloom.report.page import page_as_html, what_you_see
from glassloom.report.series import series_of
from trainings import small, train

CHARACTERS = corpus("char")
MIXED = dataclasses.replace(CHARACTERS, mixed=True)


def reading(tokenizer: str, vocabulary: int, tokens: int, spelling: float = 0.0, memorises: bool = False) -> Reading:
    """The same 1,000 characters of valid, in so many tokens."""
    size = Size(tokens=tokens, characters=1_000, bytes=1_000, spelling_nats=spelling)
    return Reading(
        sizes={"train": size, "valid": size, "test": size}, vocabulary=vocabulary, tokenizer=tokenizer,
        memorises=memorises,
    )  # fmt: skip


WORDS = reading("word", 10_000, 200)
BY_HEART = reading("char", 65, 1_000, memorises=True)


def curve(name: str, *points: tuple[float, float]) -> Curve:
    made = [Point(step=1, epoch=1, tokens=1, seconds=at, train_nats=None, valid_nats=nats) for at, nats in points]
    return Curve(id=name, points=tuple(made))


# -- tokens of their own


def test_a_run_is_measured_against_its_own_vocabulary() -> None:
    rows = [
        row("words", 9, 400.0, reading=WORDS),  # beyond the 65 characters of the first run, far below its 10,000 words
        row("letters", 9, 70.0),  # worse than a guess among 65 characters
        row("pieces", 9, 20.0, reading=reading("bpe:300", 300, 500)),
    ]
    found = judge(rows, MIXED)
    assert [one.id for one in found.left_out] == ["letters"]
    assert set(found.quality.figures) == {"words", "pieces"}


def test_runs_with_other_tokens_are_compared_in_bits_per_character_with_their_spellings() -> None:
    spelt = reading("word", 10_000, 200, spelling=300.0)
    rows = [
        row("words", 9, math.exp(6.0), reading=WORDS),  # 6 * 200 nats for 1,000 characters
        row("spelt", 9, math.exp(5.0), reading=spelt),  # 5 * 200 and 300 of spelling
        row("letters", 9, math.exp(1.25)),
    ]
    figure = deciding_figure(rows, MIXED)
    assert [figure(one) for one in rows] == [
        pytest.approx(nats / math.log(2)) for nats in (6 * 0.2, 5 * 0.2 + 0.3, 1.25)
    ]
    told = recommend(rows, MIXED)
    assert told.generalization == "words"
    assert f"words reaches {1.2 / math.log(2):.3f} bits per character" in told.sentences[0]
    table = comparison_table(dataclasses.replace(made_up(), corpus=MIXED, rows=tuple(rows)))
    place = [column.title for column in table.columns].index("tokens")
    assert {line.setting: line.cells[place].text for line in table.lines}["letters"] == "char"
    cells = [pair for line in table.lines for pair in zip(table.columns, line.cells, strict=True)]
    keys = [column.key for column, cell in cells if cell.bold]
    assert "valid_perplexity_fair" not in keys
    assert "Perplexities over different tokens do not compare" in table.note


def test_a_race_is_run_in_the_unit_that_all_share() -> None:
    """The words' level is 1 nat a character (5 a word), the letters' 0.9. In nats per token it would be 5."""
    rows = [row("words", 9, math.exp(5.0), reading=WORDS), row("letters", 9, math.exp(0.9))]
    curves = [curve("words", (1, 6.0), (7, 5.0)), curve("letters", (2, 1.3), (4, 1.0), (8, 0.9))]
    race = judge(rows, MIXED, curves).race
    assert race is not None
    assert race.level == pytest.approx(1 / math.log(2))
    assert race.seconds == {"letters": 4.0, "words": 7.0}
    one = dataclasses.replace(made_up(), corpus=MIXED, rows=tuple(rows), curves=tuple(curves))
    drawn = {series.row: [y for _, y in series.points] for series in series_of(one, "seconds")}
    assert drawn["words"] == pytest.approx([1.2 / math.log(2), 1 / math.log(2)])


def test_the_table_says_what_share_of_the_bits_is_spelling() -> None:
    rows = (row("words", 9, 400.0, spelling_share=0.384), row("letters", 9, 4.0))
    note = comparison_table(dataclasses.replace(made_up(), rows=rows)).note
    assert "count the spelling of words that the vocabulary lacks" in note
    assert "(38.4% in words)" in note
    assert "spelling" not in comparison_table(dataclasses.replace(made_up(), rows=rows[1:])).note


# -- scored on the training text


def test_a_run_that_memorised_is_no_rival_of_one_that_did_not() -> None:
    rows = [row("a", 10, 4.0), row("b", 12, 5.0), row("heart", 1, 1.01, reading=BY_HEART)]
    curves = [curve("a", (3, 1.4)), curve("b", (5, 1.5)), curve("heart", (1, 0.01))]
    found = recommend(rows, CHARACTERS, curves, {"kneser-ney-5": baseline(1.0)})
    assert (found.generalization, found.time, found.front) == ("a", "a", ("a",))
    assert "heart is not compared: it was scored on the very text that it was trained on" in found.sentences[-1]
    assert not any("heart" in sentence for sentence in found.sentences[:-1])
    verdicts = judge(rows, CHARACTERS, curves)
    assert verdicts.race is not None
    assert set(verdicts.race.seconds) == {"a", "b"}
    table = comparison_table(dataclasses.replace(made_up(), rows=tuple(rows)))
    place = [column.key for column in table.columns].index("judged_on")
    judged = {line.setting: line.cells[place].text for line in table.lines}
    assert judged == {"a": "held-out text", "b": "held-out text", "heart": "its training text: memorisation"}
    assert [line.setting for line in table.lines if line.best] == ["a"]
    assert "Memorisation: scored on the very text that was trained on" in table.note


def test_the_page_of_some_who_memorised_says_which_and_draws_them_apart() -> None:
    rows = (row("a", 10, 4.0), row("heart", 1, 1.01, reading=BY_HEART))
    curves = (curve("a", (3, 1.4), (4, 1.3)), curve("heart", (1, 0.01), (2, 0.01)))
    one = dataclasses.replace(made_up(), rows=rows, curves=curves)
    seen = what_you_see(one)
    assert "no model saw" not in seen
    assert "Only heart was trained on all of it and judged on that very text, which is memorisation" in seen
    assert {series.row for series in series_of(one, "epoch")} == {"a"}
    ladder, *_ = figures_of(one)
    assert "Without the validation losses of heart" in ladder.caption
    assert not any(word.startswith("heart") for word in ladder.words)


def test_where_all_memorise_the_page_says_so_and_nothing_of_generalization() -> None:
    facts = dataclasses.replace(CHARACTERS, memorises=True)
    rows = (row("a", 10, 1.5), row("b", 12, 1.2))
    advice = recommend(rows, facts)
    assert advice.generalization is None
    assert advice.sentences[0].startswith("This is memorisation")
    assert advice.sentences[1].startswith("Best for knowing the text by heart: b reaches")
    copies = Copies(
        id="a", unit="characters", at_least=30, steps=(1, 2), longest=(3, 40), share=(0.0, 0.9),
        held_out_longest=None, held_out_share=None,
    )  # fmt: skip
    one = dataclasses.replace(made_up(), corpus=facts, rows=rows, curves=(), copies=(copies,), recommendation=advice)
    page = page_as_html(one)
    for claim in ("no model saw", "nobody copied", "Best for generalization", "reach on its validation text"):
        assert claim not in page, claim
    assert "the very text that they were trained on. This is memorisation" in page
    longest, _ = copies_exhibits(one)
    assert longest.marks == {}


def test_runs_of_two_splits_are_judged_on_the_text_that_was_held_out(tmp_path: Path, tiny_text: str) -> None:
    text = tiny_text[:4000]
    given = small(steps=4, eval_tokens=100, sample_prompt="a", sample_every=2)
    corpora = {"heart": load_text(text, DataSettings(split="all")), "held": load_text(text)}
    runs = [
        train(corpora["heart"], tmp_path, "heart", split="all", **given).run,
        train(corpora["held"], tmp_path, "held", **given).run,
    ]
    page = glassloom.write_report(runs, tmp_path / "page")
    found = Comparison.from_json((page.parent / "results.json").read_text())
    heart, held = found.rows
    assert not found.corpus.memorises
    assert heart.reading is not None
    assert heart.reading.memorises
    assert held.reading is None
    assert found.recommendation.generalization == "held"
    assert found.corpus.sizes["valid"].tokens == corpora["held"].valid.tokens == 200
    uniform = found.baselines["uniform"]
    assert uniform.nats_per_token == pytest.approx(math.log(corpora["held"].tokenizer.size))
    assert found.baselines["bigram"].nats_per_token == baselines(corpora["held"])["bigram"].nats_per_token
    assert {one.id for one in found.copies} == {"held"}
    alone = glassloom.compare(text, ["gru"], out=tmp_path / "alone", split="all", **{**given, "seed": 0})
    assert alone.corpus.memorises
    assert alone.recommendation.generalization is None
    assert [one.held_out_share for one in alone.copies] == [None]


def test_the_shows_of_losses_call_nothing_held_out_that_was_trained_on(tmp_path: Path, tiny_text: str) -> None:
    text = tmp_path / "text.txt"
    text.write_text(tiny_text[:3000], encoding="utf-8")
    recipe = f"""
name = "both"
title = "Both"
source = "a test"
about = "Nothing."
[settings]
model = "gru"
steps = 4
eval_every = 2
width = 8
layers = 1
batch_size = 4
sequence_length = 8
eval_tokens = 100
sample_length = 4
threads = 1
[[part]]
name = "both"
title = "Both"
corpus = "{text}"
runs = [{{ id = "heart", split = "all" }}, {{ id = "held" }}]
[[page]]
show = "losses"
name = "losses"
title = "Losses"
runs = ["heart", "held"]
[[page]]
show = "results-table"
name = "table"
title = "Table"
[[page]]
show = "beside-report"
name = "beside"
title = "Beside"
of = "D"
runs = ["heart", "held"]
"""
    results = run_recipe(parse(recipe), tmp_path / "out")
    shown = {one.name: one for _, exhibits in results.exhibits for one in exhibits}
    names = [series.name for series in shown["losses"].series]
    assert names == ["heart · the text trained on", "heart · train", "held · held out", "held · train"]
    assert [row[-1] for row in shown["table"].rows] == ["finished; scored on its training text", "finished"]
    heart, held = (row[-1] for row in shown["beside"].rows)
    assert heart is None
    assert held == results.comparisons["both"].rows[1].nats_per_token
    assert not results.comparisons["both"].corpus.memorises, "the page speaks of the text that holds something out"
    assert "no model saw" not in results.report.read_text(encoding="utf-8")
