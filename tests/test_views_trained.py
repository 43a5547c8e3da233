"""Views of what a training left: copied text, checkpoints, embeddings, norms of every layer."""

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from glassloom.data import load_text
from glassloom.data.corpus import Corpus
from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import InputError
from glassloom.exhibits import Lines, Matrices, Points, Table, Texts
from glassloom.generation import DecodingSettings, generate
from glassloom.models import architecture, build
from glassloom.runs import Run, load_run
from glassloom.training.norms import COUNTS, histogram
from glassloom.views.copied_text import copied_text
from glassloom.views.embedding import embedding
from glassloom.views.subject import Subject
from glassloom.views.timelapse import timelapse
from glassloom.views.training_norms import layer_of, training_norms
from models_by_hand import LETTERS, copying
from trainings import small, train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Corpus:
    return load_text(tiny_text[:3000], cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Run:
    """Plain gradient descent without clipping: an update is the gradient times the learning rate."""
    settings = small("lstm", steps=6, eval_every=2, optimizer="sgd", lr=0.5, clip_norm=None, layers=2, sample_every=6)
    return train(corpus, tmp_path_factory.mktemp("descent"), **settings).run


@pytest.fixture
def subject(run: Run, corpus: Corpus) -> Subject:
    return Subject(run.model(), run.tokenizer, run.name, run, corpus)


# -- training


def test_an_update_of_plain_descent_is_the_gradient_times_the_rate(run: Run) -> None:
    found = training_norms(run)
    assert found.steps == (1, 3, 5), "the first update, and the one after each evaluation"
    np.testing.assert_allclose(found.norms["update"], 0.5 * found.norms["gradient"], rtol=1e-4)
    before = dict(found.norm_before)
    for place, step in enumerate(found.steps):
        whole = math.sqrt(float((found.norms["gradient"][:, place] ** 2).sum()))
        assert whole == pytest.approx(before[step], rel=1e-5)
        layers = math.sqrt(float((found.of_layers["gradient"][:, place] ** 2).sum()))
        assert layers == pytest.approx(whole, rel=1e-9)
    assert found.layers == ("embedding", "layers.0", "layers.1", "output")
    first = found.parameters.index("layers.0.recurrent_weight")
    assert found.norms["weight"][first, 0] == pytest.approx(math.sqrt(4 * 8), rel=1e-5), "four orthogonal gates of 8"
    weight = found.of_layers["weight"]
    np.testing.assert_allclose(found.ratio, found.of_layers["update"] / weight)


def test_histograms_count_every_entry_once(run: Run) -> None:
    centres = (torch.arange(20) - 9.5) / 10
    assert histogram(torch.cat([centres, torch.tensor([-1.0, 1.0])]))["counts"] == [2, *[1] * 18, 2]
    assert sum(histogram(torch.zeros(7))["counts"]) == 7
    found = training_norms(run)
    np.testing.assert_allclose(found.counts["weights"].sum(-1), 1)
    record = run.layers()[0]["parameters"]
    for name, shape in run.best().shapes().items():
        assert sum(record[name]["weights"]["counts"]) == math.prod(shape)
        assert sum(record[name]["gradients"]["counts"]) == math.prod(shape)
    assert found.counts["gradients"].shape == (len(found.parameters), 3, COUNTS)
    arrays = {array.name: array for array in found.arrays()}
    assert arrays["shares of weights"].axes == ("parameter", "step", "bin")
    exhibits = found.exhibits()
    assert isinstance(exhibits[0], Lines)
    assert exhibits[0].series[1].y[0] == pytest.approx(found.ratio[1, 0])
    assert any(isinstance(each, Matrices) for each in exhibits)
    spread = {each.name: each for each in exhibits if isinstance(each, Matrices)}
    assert list(spread) == ["training-histograms", "training-gradient-histograms"]
    drawn = np.array([matrix.values for matrix in spread["training-gradient-histograms"].matrices])
    np.testing.assert_allclose(drawn, found.counts["gradients"], atol=1e-5)
    assert isinstance(exhibits[-1], Table)
    assert layer_of("final_norm.weight") == "final_norm"


def test_what_a_resume_takes_back_is_taken_back_and_an_older_run_has_nothing(run: Run, tmp_path: Path) -> None:
    lines = (run.path / "layers.jsonl").read_text(encoding="utf-8").splitlines()
    copy = tmp_path / run.name
    copy.mkdir()
    for name in ("config.json", "tokenizer.json", "metrics.jsonl"):
        (copy / name).write_bytes((run.path / name).read_bytes())
    retaken = [*lines, json.dumps({"event": "resumed", "step": 2}), lines[1]]
    (copy / "layers.jsonl").write_text("\n".join(retaken) + "\n", encoding="utf-8")
    assert [record["step"] for record in Run(copy).layers()] == [1, 3]
    (copy / "layers.jsonl").unlink()
    made = build(run.config.model, run.tokenizer.size)
    with pytest.raises(InputError, match="recorded no norms"):
        training_norms(Subject(made, run.tokenizer, "old", Run(copy)))
    with pytest.raises(InputError, match="no history"):
        training_norms((made, run.tokenizer))


# -- timelapse


def test_every_checkpoint_continues_the_same_prompt_with_the_same_seed(run: Run) -> None:
    found = timelapse(run, "The", length=12, seed=5)
    kept = list(reversed(run.checkpoints()))
    assert found.steps == tuple(checkpoint.step for checkpoint in kept)
    assert len(kept) >= 2
    for place, checkpoint in enumerate(kept):
        settings = DecodingSettings(length=12, temperature=0.7, seed=5)
        [sample] = generate(run.model(checkpoint), run.tokenizer, "The", settings)
        assert found.texts[place] == sample.text
        assert found.text_nats[place] == pytest.approx(np.mean(sample.nats))
        assert found.valid_nats[place] == pytest.approx(checkpoint.progress()["valid_nats"])
    texts, losses = found.exhibits()
    assert isinstance(texts, Texts)
    assert f"{found.valid_nats[0]:.4f}" in texts.texts[0].note
    assert isinstance(losses, Lines)
    with pytest.raises(InputError, match="no history"):
        timelapse((copying(1), LETTERS), "a")


# -- memorised


def test_planted_stretches_are_found_where_they_were_planted(subject: Subject, corpus: Corpus) -> None:
    whole = corpus.text("train")
    planted = f"~~~{whole[700:750]}~~~~{whole[100:140]}~"
    assert "~" not in whole
    found = copied_text(subject, planted)
    arrays = {array.name: array for array in found.arrays()}
    stretches, words = arrays["stretches"], arrays["words"]
    assert stretches.labels["figure"] == ("begin", "end", "place in train")
    expected = [[3, 53, whole.index(whole[700:750])], [57, 97, whole.index(whole[100:140])]]
    assert stretches.values.tolist() == expected
    assert words.values.tolist() == [whole[700:750], whole[100:140]]
    assert float(arrays["longest copy"].values) == 50
    assert float(arrays["share copied"].values) == pytest.approx(90 / 98)
    assert found.facts()["longest copy"] == 50
    assert found.facts()["share copied"] == pytest.approx(90 / 98)


def test_where_nothing_is_copied_the_files_say_how_long_the_longest_copy_is(subject: Subject, corpus: Corpus) -> None:
    whole = corpus.text("train")
    found = copied_text(subject, f"~~{whole[700:710]}~~")
    lines = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert [(line["array"], line["value"]) for line in lines[:2]] == [("longest copy", "10"), ("share copied", "0.0")]
    table = found.exhibits()[1]
    assert isinstance(table, Table)
    [row] = table.rows
    assert row[1:] == (whole[700:710], 10, whole.index(whole[700:710]) + 1)
    assert "There is none: the longest that stands there is shown." in table.caption
    nothing = copied_text(subject, "~~~").exhibits()[1]
    assert isinstance(nothing, Table)
    assert [row[1:] for row in nothing.rows] == [("–", 0, None)]


def test_without_a_text_the_model_writes_one(subject: Subject, run: Run) -> None:
    found = copied_text(subject, length=30, seed=2)
    [sample] = generate(run.model(), run.tokenizer, "", DecodingSettings(length=30, temperature=0.7, seed=2))
    assert found.text == sample.text
    assert "seed 2" in found.label
    with pytest.raises(InputError, match="not at hand"):
        copied_text((copying(1), LETTERS), "ab")


# -- embedding


def test_tokens_in_a_plane_are_drawn_as_they_lie_there() -> None:
    """Vectors of a plane, turned into five dimensions: distances, norms and neighbours are those of the plane."""
    letters = CharTokenizer("ABcd12")
    flat = np.array([[4.0, 0.0], [-4.0, 0.5], [3.0, 1.0], [0.0, -2.0], [-3.0, 1.5], [1.0, 0.1]])
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))
    model = build(architecture("gru").Settings(layers=1, width=5), 6).double()
    with torch.no_grad():
        model.get_parameter("embedding.weight").copy_(torch.tensor(flat @ turn[:2] + 0.0))
    found = embedding((model, letters), top=2)
    assert found.explained.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(found.norms, np.linalg.norm(flat, axis=1))
    apart = np.linalg.norm(found.places[:, None] - found.places[None], axis=-1)
    np.testing.assert_allclose(apart, np.linalg.norm(flat[:, None] - flat[None], axis=-1), atol=1e-9)
    assert found.places[np.abs(found.places[:, 0]).argmax(), 0] > 0
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    for place, (near, cosines) in enumerate(zip(found.neighbours, found.cosines, strict=True)):
        alike = unit @ unit[place]
        alike[place] = -2
        assert near == tuple(np.argsort(-alike)[:2])
        np.testing.assert_allclose(cosines, np.sort(alike)[::-1][:2], atol=1e-12)
    assert sorted(zip(found.labels, found.classes, strict=True)) == [
        ("1", "digits"), ("2", "digits"), ("A", "capitals"), ("B", "capitals"), ("c", "letters"), ("d", "letters")
    ]  # fmt: skip
    points, table = found.exhibits()
    assert isinstance(points, Points)
    assert len(points.points) == 6
    assert isinstance(table, Table)


def test_with_one_hot_inputs_the_first_layer_s_columns_are_the_vectors() -> None:
    found = embedding((copying(2), LETTERS), "abba")
    assert [found.labels[index] for index in found.chosen] == ["a", "b"]
    np.testing.assert_allclose(found.norms, 1.0)
    np.testing.assert_allclose(found.cosines, 0.0, atol=1e-12)


def test_a_run_s_embedding_is_that_of_its_checkpoint(run: Run) -> None:
    found = embedding(load_run(run.path))
    table = run.best().weights()["embedding.weight"].double().numpy()
    np.testing.assert_allclose(found.norms, np.linalg.norm(table, axis=1))
