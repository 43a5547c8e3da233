"""The show of averaged runs, on tiny real runs: its figures against `glassloom.evaluate`, and what it leaves alone."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

import glassloom
from glassloom.comparison.compare import report_on
from glassloom.data import Corpus, DataSettings, load_text
from glassloom.exhibits import Prose, Table
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.targets import judged
from glassloom.recipes import parse
from glassloom.runs import Run
from trainings import small, train

RECIPE = """
name = "tiny"
title = "Tiny"
source = "a test"
about = "Nothing."
target = [{ figure = "the best: valid perplexity", of = "gru", at_most = 57 }]
[settings]
steps = 40
[[part]]
name = "all"
title = "All"
corpus = "ptb"
runs = [ { id = "gru", model = "gru" }, { id = "lstm", model = "lstm" }, { id = "transformer", model = "transformer" } ]
"""
PUBLISHED = [{"model": "somebody's", "valid": 60.0, "test": 57.3}, {"model": "another's", "test": 50.0}]
ALL = ["gru", "lstm", "transformer"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> tuple[Path, Corpus, dict[str, Run]]:
    """Three runs on the same characters, with a test split."""
    folder = tmp_path_factory.mktemp("averages")
    corpus = load_text(tiny_text[:9000], DataSettings(split="80,10,10"), cache=folder / "cache")
    runs = {name: train(corpus, folder, name, **small(name, steps=40, width=16, optimizer="adam")).run for name in ALL}
    return folder, corpus, runs


def shown(trained: Any, there: list[str], folder: Path, quick: bool = False, **asked: Any) -> tuple[Experiment, Table]:
    """The experiment of some of the runs, and its table."""
    _, corpus, runs = trained
    there_runs = {id: runs[id] for id in there}
    comparison = report_on(list(there_runs.values()), corpus, "glassloom run tiny")
    experiment = Experiment(
        parse(RECIPE), folder, quick, there_runs, dict.fromkeys(ALL, corpus), {"all": comparison}
    )  # fmt: skip
    found = SHOWS["average-of-runs"](experiment, title="Averages", runs=ALL, published=PUBLISHED, **asked)
    assert isinstance(found[0], Table)
    assert all(len(row) == len(found[0].columns) for row in found[0].rows)
    assert [isinstance(one, Prose) for one in found[1:]] == ([True] if len(there) < 3 else [])
    return experiment, found[0]


def test_each_run_and_both_averages_are_as_evaluate_has_them_and_the_best_alone_is_tested(
    trained: Any, tmp_path: Path
) -> None:
    _, corpus, runs = trained
    experiment, table = shown(trained, ALL, tmp_path, test=True)
    rows = {str(row[0]): row for row in table.rows}
    many = [runs[id] for id in ALL]
    equal, chosen = (glassloom.evaluate(many, corpus=corpus, weights=weights) for weights in (None, "valid"))
    for id in ALL:
        own = glassloom.evaluate(runs[id], corpus=corpus).figures.perplexity
        assert rows[id][3] == pytest.approx(own, rel=1e-9)
    assert rows["the average, equal weights"][3] == pytest.approx(equal.figures.perplexity, rel=1e-9)
    assert rows["the average, equal weights"][2] == "0.333, 0.333, 0.333"
    best = rows["the average, weights of the validation split"]
    assert best[3] == pytest.approx(chosen.figures.perplexity, rel=1e-9)
    assert table.rows[table.bold[0]] == best
    weights = [part["weight"] for part in chosen.runs]
    tested = glassloom.evaluate(many, "test", corpus=corpus, weights=weights).figures.perplexity
    assert best[4] == pytest.approx(tested, rel=1e-9)
    assert [row[4] for row in table.rows if row[1] == "ours"].count(None) == 4
    assert rows["somebody's"][3:] == (60.0, 57.3)
    assert rows["another's"][3:] == (None, 50.0)
    assert experiment.figures["the best: valid perplexity"] == best[3]
    assert experiment.figures["the best: test perplexity"] == best[4]
    assert "scored once, for that one alone" in table.caption
    assert [one.verdict for one in judged(experiment)] == ["reached"]
    kept = json.loads(next(tmp_path.glob("kept/average-*.json")).read_text(encoding="utf-8"))
    assert kept["value"]["figures"] == experiment.figures, "what was scored is kept, and not scored again"


def test_the_test_split_is_left_alone_until_everything_is_there_at_full_length(trained: Any, tmp_path: Path) -> None:
    experiment, table = shown(trained, ["gru", "transformer"], tmp_path, test=True)
    assert not experiment.figures
    assert [row[0] for row in table.rows] == ["gru", "transformer", "somebody's", "another's"]
    assert all(row[4] is None for row in table.rows if row[1] == "ours")
    assert "left alone until every run is there" in table.caption
    short, table = shown(trained, ALL, tmp_path, quick=True, test=True)
    assert set(short.figures) == {"the best: valid perplexity"}
    assert all(row[4] is None for row in table.rows if row[1] == "ours")
    assert [one.verdict for one in judged(short)] == ["not asked of the short version"]
    plain, _ = shown(trained, ALL, tmp_path)
    assert set(plain.figures) == {"the best: valid perplexity"}


def test_windows_and_equal_weights_in_nats(trained: Any, tmp_path: Path) -> None:
    _, corpus, runs = trained
    experiment, table = shown(trained, ALL, tmp_path, weights="equal", windows=8, unit="nats", figure="all three")
    expected = glassloom.evaluate([runs[id] for id in ALL], corpus=corpus, windows=8).figures.nats_per_token
    rows = {str(row[0]): row for row in table.rows}
    assert rows["the average, equal weights"][3] == pytest.approx(expected, rel=1e-9)
    assert "the average, weights of the validation split" not in rows
    assert experiment.figures["all three: valid nats"] == min(row[3] for row in table.rows if row[1] == "ours")
    own = [row[3] for row in table.rows[:3]]
    assert rows["the average, equal weights"][3] <= min(own) + math.log(3)
    assert "windows: 8 tokens, nothing carried" in table.caption
