"""The shows that look inside runs and at what they write, on tiny real runs of a tiny recipe."""

import re
from pathlib import Path

import pytest

from glassloom.comparison.compare import report_on
from glassloom.data import Corpus, DataSettings, load_text
from glassloom.errors import Notice
from glassloom.exhibits import Exhibit, Lines, Matrices, Prose, Table, Texts, as_dict, from_dict
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows import SHOWS
from glassloom.experiment.shows.samples import first_words
from glassloom.recipes import parse
from glassloom.runs import Run
from glassloom.views.gradient_flow import run_gradient_flow
from trainings import small, train

MODELS = ("rnn", "gru", "lstm", "transformer")
LINES = [f"chapter {number}: the goblin said {word} and went." for number, word in enumerate(["yes", "no", "so"] * 8)]
RECIPE = """
name = "tiny"
title = "Tiny"
source = "a test"
about = "Nothing."
[[part]]
name = "all"
title = "All"
corpus = "ptb"
runs = [ { id = "gru", model = "gru" } ]
"""


def experiment(folder: Path, corpus: Corpus, runs: dict[str, Run]) -> Experiment:
    """An experiment of these runs, as the engine makes it."""
    comparison = report_on(list(runs.values()), corpus, "glassloom run tiny")
    return Experiment(parse(RECIPE), folder, False, dict(runs), dict.fromkeys(runs, corpus), {"all": comparison})


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> tuple[Path, Corpus, dict[str, Run]]:
    """One run of each architecture on the same words."""
    folder = tmp_path_factory.mktemp("words")
    corpus = load_text(tiny_text[:9000], DataSettings(tokenizer="word"), cache=folder / "cache")
    runs = {
        name: train(corpus, folder, name, **small(name, steps=3, tokenizer="word", layers=2)).run for name in MODELS
    }
    return folder, corpus, runs


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Corpus, dict[str, Run]]:
    """One run on sequences, every checkpoint kept."""
    folder = tmp_path_factory.mktemp("lines")
    corpus = load_text(LINES, DataSettings(sequences="lines", split="80,10,10"), cache=folder / "cache")
    plan = small(
        "lstm",
        sample_temperature=0.01,
        epochs=4,
        keep=0,
        save_every=10,
        batch_size=2,
        sequences="lines",
        split="80,10,10",
    )
    return folder, corpus, {"lines": train(corpus, folder, "lines", **plan).run}


def check(exhibits: list[Exhibit]) -> None:
    """What every page needs: names that files can have, none twice; and exhibits that survive being kept."""
    names = [exhibit.name for exhibit in exhibits]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", name) for name in names), names
    for exhibit in exhibits:
        assert from_dict(as_dict(exhibit)) == exhibit
        if isinstance(exhibit, Table):
            assert all(len(row) == len(exhibit.columns) for row in exhibit.rows)


def test_the_gradient_through_time_of_every_architecture_beside_the_report(words, tmp_path: Path) -> None:
    _, corpus, runs = words
    made = experiment(tmp_path, corpus, runs)
    told = {"rnn": {"1": 3e-6, "8": 1.0, "25": 0.0062}}
    shown = SHOWS["gradient-flow"](made, runs=[*MODELS, "3.1a"], layer=1, reported=told)
    check(shown)
    scaled, _raw, _table, beside, absent = shown
    assert isinstance(scaled, Lines)
    flow = run_gradient_flow(runs["rnn"], corpus).layer(1)[0]
    assert scaled.series[0].name == "rnn, layers.1.hidden"
    assert scaled.series[0].y == pytest.approx(flow.scaled)
    assert made.figures["gradient at the first step rnn"] == pytest.approx(flow.scaled[0])
    assert isinstance(beside, Table)
    assert [row[:3] for row in beside.rows] == [("rnn", 1, 3e-6), ("rnn", 8, 1.0), ("rnn", 25, 0.0062)]
    assert [row[3] for row in beside.rows] == [pytest.approx(flow.scaled[0]), pytest.approx(flow.scaled[7]), None]
    assert isinstance(absent, Prose)
    assert absent.paragraphs == ("Not yet run: 3.1a.",)


def test_what_was_measured_is_kept_and_a_page_is_written_again_without_the_weights(words, tmp_path: Path) -> None:
    _, corpus, runs = words
    first = experiment(tmp_path, corpus, runs)
    shown = SHOWS["gradient-flow"](first, runs=["gru"])
    again = experiment(tmp_path, corpus, runs)
    weights = runs["gru"].best().path / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(b"")
    try:
        assert SHOWS["gradient-flow"](again, runs=["gru"]) == shown
        assert again.figures == first.figures
    finally:
        weights.write_bytes(before)
    assert SHOWS["gradient-flow"](again, runs=["gru"], layer=0) != shown


def test_attention_over_what_the_model_wrote_itself(words, tmp_path: Path) -> None:
    _, corpus, runs = words
    made = experiment(tmp_path, corpus, runs)
    with pytest.warns(Notice, match="Left out of the prompt"):
        shown = SHOWS["attention"](made, run="transformer", prompt="Beautiful is zzzz", length=5, seed=3)
    check(shown)
    text, matrices = shown
    assert isinstance(text, Texts)
    assert isinstance(matrices, Matrices)
    assert [matrix.title for matrix in matrices.matrices] == [
        f"layer {layer} head {head}" for layer in (0, 1) for head in (0, 1)
    ]
    assert matrices.matrices[0].rows[:2] == ("1 Beautiful", "2 is")
    assert len(matrices.matrices[0].rows) == 2 + 5
    assert sum(weight or 0 for weight in matrices.matrices[3].values[6]) == pytest.approx(1, abs=1e-3)
    heads = SHOWS["attention-heads"](made, run="transformer", windows=3, tokens=50)
    check(heads)
    assert len(heads[0].rows) == 4 + 1
    assert "24 tokens" in heads[0].caption  # three windows of the model's context, which is 8
    assert sum(value for name, value in made.figures.items() if name.startswith("heads ")) == 4


def test_copies_over_training_and_of_new_samples(words, lines, tmp_path: Path) -> None:
    _, corpus, runs = words
    made = experiment(tmp_path, corpus, runs)
    made.runs |= lines[2]
    made.corpora = {**made.corpora, **dict.fromkeys(lines[2], lines[1])}
    shown = SHOWS["memorised"](made, runs=["gru", "rnn", "lines"], count=3, length=20)
    check(shown)
    assert isinstance(shown[0], Table)
    assert [row[:3] for row in shown[0].rows] == [
        ("gru", "words", 8), ("rnn", "words", 8), ("lines (lstm)", "characters", 30)
    ]  # fmt: skip
    assert made.figures["longest copy lines"] == shown[0].rows[2][3] > 0
    curves = [exhibit for exhibit in shown if isinstance(exhibit, Lines)]
    assert [len(exhibit.series) for exhibit in curves] == [2, 2, 1, 1]  # one plot for each text


def test_arg_max_samples_and_the_best_and_worst_of_them(words, tmp_path: Path) -> None:
    _, corpus, runs = words
    made = experiment(tmp_path, corpus, runs)
    shown = SHOWS["samples"](made, runs=["rnn", "gru"], lengths=[4, 9], count=3)
    check(shown)
    rule, best, worst, interesting, *every = shown
    assert "lowest" in rule.paragraphs[0]
    assert [len(kind.texts) for kind in (best, worst, interesting)] == [3, 3, 3]
    assert [len(exhibit.texts) for exhibit in every] == [6, 6]
    prompts = first_words(corpus, 3)
    assert [text.prompt for text in every[0].texts] == prompts * 2
    assert len(set(prompts)) == 3
    assert all(len(corpus.tokenizer.encode(prompt)) == 1 for prompt in prompts)


def test_whether_a_lower_perplexity_means_better_samples(words, lines, tmp_path: Path) -> None:
    _, corpus, runs = words
    made = experiment(tmp_path, corpus, runs)
    made.runs |= lines[2]  # on another text, and left out
    made.corpora = {**made.corpora, **dict.fromkeys(lines[2], lines[1])}
    shown = SHOWS["sample-quality"](made, length=12, count=3)
    check(shown)
    table, together = shown
    assert [row[0] for row in table.rows] == list(MODELS)
    assert all(row[1] == pytest.approx(made.rows[row[0]].valid_perplexity_fair) for row in table.rows)
    figures = {name: value for name, value in made.figures.items() if name.startswith("rank correlation")}
    known = {f"rank correlation {row[0]}": row[1] for row in together.rows if row[1] is not None}
    assert figures == known != {}


def test_continuations_beside_the_truth_at_moments_of_training(lines, tmp_path: Path) -> None:
    _, corpus, runs = lines
    made = experiment(tmp_path, corpus, runs)
    shown = SHOWS["drift"](made, runs=["lines"], epochs=[0, 1, 50], prompt=10, count=5, shown=2)
    check(shown)
    table, texts, absent = shown
    assert [row[0] for row in table.rows] == ["lines (lstm), epoch 0", "lines (lstm), epoch 1", "lines (lstm), epoch 4"]
    assert all(row[1] == 5 for row in table.rows)
    assert texts.texts[0].prompt + texts.texts[0].truth in LINES
    assert len(texts.texts[0].prompt) == 10
    assert absent.paragraphs == ("Of lines no checkpoint was kept near epoch 50.",)
    assert made.figures["wholly right lines"] == table.rows[-1][2] / 5
