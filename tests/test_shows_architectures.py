"""The shows about settings beside their report: curves of both splits, and what the gradients mean, in words."""

import pytest

from glassloom.comparison.compare import report_on
from glassloom.data import Corpus, DataSettings, load_text
from glassloom.exhibits import Lines, Prose
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.history import history_of
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.shows.gradient_flow import Memory, gradients_in_words, memories
from glassloom.recipes import parse, rows_of
from glassloom.runs import Run
from glassloom.views.gradient_flow import run_gradient_flow
from trainings import small, train

RECIPE = """
name = "tiny"
title = "Tiny"
source = "a test"
about = "Nothing."
groups = { "3.1" = {}, "3.2" = {} }
[[part]]
name = "words"
title = "Words"
corpus = "ptb"
runs = [
  { id = "3.1d", group = "3.1", model = "rnn", epochs = 2 },
  { id = "3.2a", group = "3.2", model = "gru", epochs = 2 },
]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Experiment:
    """Two tiny runs under the names of reported ones."""
    folder = tmp_path_factory.mktemp("architectures")
    corpus: Corpus = load_text(tiny_text[:6000], DataSettings(tokenizer="word"), cache=folder / "cache")
    runs: dict[str, Run] = {}
    for id, model in (("3.1d", "rnn"), ("3.2a", "gru")):
        given = small(model, tokenizer="word", layers=2, eval_every=2)
        given.pop("steps", None)
        runs[id] = train(corpus, folder, id, **{**given, "epochs": 2}).run
    comparison = report_on(list(runs.values()), corpus, "glassloom run tiny")
    return Experiment(parse(RECIPE), folder, False, runs, dict.fromkeys(runs, corpus), {"words": comparison})


def test_both_splits_stand_beside_the_report_and_ours_over_time_with_the_reported_seconds(made: Experiment) -> None:
    shown = SHOWS["reported-curves"](made, file="ptb", of="words", groups=["3.1"])
    lines = {one.name: one for one in shown if isinstance(one, Lines)}
    assert list(lines) == ["curves-3-1-epochs", "curves-3-1-seconds", "beside-3-1", "beside-3-1-train"]
    reported = {row["split"]: row for row in rows_of("ptb") if row["id"] == "3.1d"}
    ours = history_of(made.runs["3.1d"])
    for name, split in (("beside-3-1", "valid"), ("beside-3-1-train", "train")):
        series = {one.name: one for one in lines[name].series}
        assert series["3.1d · ours"].y == getattr(ours, split)
        assert not series["3.1d · ours"].dashed
        assert series["3.1d · reported"].dashed
        assert series["3.1d · reported"].y[0] == float(reported[split]["epoch_1"])
        assert len(series["3.1d · reported"].y) == 20
    over_time = lines["curves-3-1-seconds"]
    assert {one.name: one.x for one in over_time.series} == {
        "3.1d · valid": ours.seconds, "3.1d · train": ours.seconds
    }  # fmt: skip
    assert f"3.1d {float(reported['valid']['seconds']):,.0f} s" in over_time.caption


def test_the_meaning_of_the_gradients_is_computed_from_their_flow(made: Experiment) -> None:
    found = memories(made, ["3.1d", "3.2a", "3.4b"])
    assert [(one.id, one.model) for one in found] == [("3.1d", "rnn"), ("3.2a", "gru")]
    for one in found:
        [flow] = run_gradient_flow(made.runs[one.id], made.corpus(one.id), made.runs[one.id].best()).layer(1)
        assert one.half_life == pytest.approx(flow.half_life)
        assert one.first_to_last == pytest.approx(flow.first_to_last)
    shown = SHOWS["architecture-questions"](made, file="ptb")
    [answer] = [one for one in shown if one.name == "answer-gradients"]
    assert isinstance(answer, Prose)
    assert answer.paragraphs == gradients_in_words(found)
    assert len(answer.paragraphs) == 2


def test_the_words_about_gradients_carry_their_figures() -> None:
    rnn = Memory("3.1a", "rnn", "layers.1.hidden", 35, 1.85, 3e-6)
    gru = Memory("3.2a", "gru", "layers.1.hidden", 35, 18.0, 0.27)
    first, second = gradients_in_words([rnn, gru])
    assert "3.1a (rnn, layers.1.hidden) halves every 1.9 steps" in first
    assert "the first of 35 steps has 3e-06 times the last step's" in first
    assert "across 34 steps 3.2a (gru) keeps 9e+04 times the share that 3.1a (rnn) keeps" in second
    assert "less than 1% is too little for 3.1a to learn from" in second
    milder = Memory("3.1d", "rnn", "layers.1.hidden", 35, 9.0, 0.09)
    assert gradients_in_words([milder, gru])[1].endswith("3.2a (gru) keeps 3 times the share that 3.1d (rnn) keeps.")
    grows = gradients_in_words([Memory("a", "gru", "layers.0.hidden", 9, None, 1.2)])
    assert len(grows) == 1
    assert "a (gru, layers.0.hidden) does not fall" in grows[0]
    assert gradients_in_words([]) == ("Not yet run.",)
