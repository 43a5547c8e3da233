"""The page about formal languages: a tiny recipe carried out, and its sentences from figures given by hand."""

from pathlib import Path
from typing import Any

import pytest

from glassloom.exhibits import Lines, Prose, Table, Texts
from glassloom.experiment.run import Results, run_recipe
from glassloom.experiment.shows.language_floor import carried_sentence, floor_sentence
from glassloom.experiment.shows.languages import layers_sentence, repeated_pairs, repetition_sentence
from glassloom.recipes import parse

RECIPE = """
name = "tiny-languages"
title = "Tiny"
source = "none"
about = "Two small runs."
[settings]
model = "lstm"
layers = 1
width = 12
lr = 0.02
epochs = 2
evaluations = 2
keep = 0
samples = 100
max_tokens = 400
threads = 1
[[part]]
name = "ndfa"
title = "An automaton"
corpus = "ndfa"
runs = [{ id = "one", clip_norm = 0.2 }, { id = "two", layers = 2, clip_norm = "none" }]
[[target]]
figure = "one excess"
at_most = 100
[[page]]
show = "language-floor"
runs = ["ndfa"]
strings = 60
longest = 30
[[page]]
show = "language-validity"
runs = ["one"]
strings = 60
longest = 30
[[page]]
show = "language-beyond"
runs = ["one"]
count = 2
times = 2
[[page]]
show = "language-arg-max"
runs = ["one"]
prompts = ["", "sabc!", "(()"]
[[page]]
show = "language-training"
parts = ["ndfa"]
[[page]]
show = "language-samples"
runs = ["one"]
count = 3
longest = 20
[[page]]
show = "language-layers"
families = [["one", "two"]]
[[page]]
show = "language-clipping"
pairs = [["one", "two"]]
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run_recipe(parse(RECIPE), tmp_path_factory.mktemp("languages"))


def shown(results: Results, name: str) -> Any:
    """The exhibit of that name."""
    [found] = [exhibit for _, exhibits in results.exhibits for exhibit in exhibits if exhibit.name == name]
    return found


def test_the_floor_is_a_row_for_each_run_and_a_figure_for_targets(results: Results) -> None:
    table = shown(results, "language-floor")
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["one", "two"]
    titles = [column.title for column in table.columns]
    row = dict(zip(titles, table.rows[0], strict=True))
    assert row["excess"] > 0
    assert row["true strings"] == row["samples"] == 60
    [target] = results.targets
    assert target.value == row["excess"]
    assert target.verdict == "reached"


def test_gradients_are_shown_before_and_after_clipping(results: Results) -> None:
    lines = shown(results, "gradient-ndfa")
    assert isinstance(lines, Lines)
    series = {one.name: one for one in lines.series}
    assert set(series) == {f"{id} · {when} clipping" for id in ("one", "two") for when in ("before", "after")}
    assert series["one · before clipping"].x == (1.0, 2.0)
    assert max(series["one · after clipping"].y) <= 0.2 + 1e-6
    assert series["two · after clipping"].y == series["two · before clipping"].y


def test_samples_stand_after_every_epoch_at_both_temperatures(results: Results) -> None:
    texts = shown(results, "samples-one")
    assert isinstance(texts, Texts)
    labels = [text.label for text in texts.texts]
    assert labels == [f"epoch {epoch}, temperature {heat}" for epoch in (1, 2) for heat in (0, 1)]
    assert all(len(text.text.split("\n")) == 3 for text in texts.texts[1::2])


def test_the_page_answers_in_sentences_and_goes_beyond_the_trained_lengths(results: Results) -> None:
    first = shown(results, "language-floor-answer").paragraphs[0]
    assert "is the floor" in first or "still be learned" in first
    assert max(shown(results, "beyond-ndfa").series[0].x) == pytest.approx(2, abs=0.2)
    rows = shown(results, "language-arg-max").rows
    assert [row[1] for row in rows] == ["-", "sabc!"]  # (() begins no string of ndfa
    for name in ("layers-answer", "clipping-answer", "language-wrong"):
        assert isinstance(shown(results, name), Prose)
    assert (Path(results.report).parent / "results.json").exists()


# -- sentences


def excess_of(mean: float, error: float) -> dict[str, Any]:
    return {"excess": {"entropy_nats": 3.0, "excess": {"mean": mean, "error": error}}}


def test_the_floor_is_claimed_only_where_the_excess_cannot_be_told_from_nothing() -> None:
    for mean, error in ((0.0019, 0.001), (0.2, 0.11), (-0.001, 0.001)):
        assert "this is the global minimum" in floor_sentence(excess_of(mean, error)), mean
    near = floor_sentence(excess_of(0.0037, 0.001))
    assert "within 0.13% of the floor, but measurably above it (0.0037 ± 0.0010 nats, 3.7 standard errors)" in near
    assert "this is the global minimum" not in near
    assert "(1.0%) could still be learned" in floor_sentence(excess_of(0.03, 0.001))
    assert "(50.0%) could still be learned" in floor_sentence(excess_of(1.5, 0.01))


def test_layers_overfit_only_where_training_falls_and_held_out_rises() -> None:
    def rows(*losses: tuple[float, float]) -> list[tuple[str, int, float, float]]:
        return [("a", layers, *loss) for layers, loss in zip((1, 10), losses, strict=True)]

    assert "no overfitting" in layers_sentence(rows((0.5, 0.6), (0.9, 0.9)))
    assert "do overfit" in layers_sentence(rows((0.5, 0.6), (0.3, 0.8)))
    assert "do not overfit" in layers_sentence(rows((0.5, 0.6), (0.5, 0.6)))
    assert layers_sentence(rows((0.5, 0.6), (0.5, 0.6))[:1]) == "not yet run."


def test_carrying_over_is_a_rate_that_stays() -> None:
    def at(times: float, mean: float) -> dict[str, Any]:
        return {"times": times, "length": int(100 * times), "excess": {"mean": mean, "error": 0.1}}

    assert "it carries over" in carried_sentence("a", [at(1, 2.0), at(10, 21.0)])
    assert "it does not carry over" in carried_sentence("a", [at(1, 2.0), at(10, 200.0)])
    assert "has not learned the lengths of training" in carried_sentence("a", [at(1, 90.0), at(10, 900.0)])


def test_repetition_counts_pairs_of_words_seen_before() -> None:
    assert repeated_pairs("The and the and the and") == pytest.approx(0.4)
    assert repeated_pairs("a film of its own") == 0
    rows = [("base", "", 1.0, 0.9, 0.01, ""), ("dropout", "", 1.0, 0.5, 0.01, "")]
    assert "repeats 50% of its pairs of words (less)" in repetition_sentence(rows)
