"""The vanilla network of the novel, against an independent NumPy writing of its description (REFERENCE B).

There the loss is the sum over a window's characters and the gradient is clipped element by element before AdaGrad
accumulates it; here the loss is the mean. With T characters the two are the same updates when the clip is 5 / T and
the epsilon eps / T^2, since eta (g/T) / sqrt(m/T^2 + eps/T^2) = eta g / sqrt(m + eps).
"""

import math
from pathlib import Path

import numpy as np
import pytest

from commands import Commands
from glassloom.config import Config
from glassloom.models import build
from glassloom.models.summary import parameter_count
from glassloom.recipes import listed, load_recipe
from glassloom.views.progress import mean_of_last_pass, smoothed_loss
from trainings import prepared, steps, stream, train

T, ETA, EPSILON, CLIP = 5, 0.1, 1e-8, 0.5
NETWORK = {"model": "rnn", "layers": 1, "embedding": 0, "initialization": "gaussian", "threads": 1}
ADAGRAD = {
    "optimizer": "adagrad", "lr": ETA, "clip_norm": None, "clip_value": CLIP / T, "epsilon": EPSILON / T**2,
    "schedule": "constant", "batch_size": 1, "sequence_length": T, "precision": "float64",
}  # fmt: skip

Weights = dict[str, np.ndarray]


def losses_and_gradients(w: Weights, inputs: list[int], targets: list[int], h: np.ndarray) -> tuple:
    """a_t = W h + U x + b, h = tanh a, o = V h + c, p = softmax o; the summed loss, its gradients, the last h."""
    hidden, softmax, loss = [h], [], 0.0
    for x, y in zip(inputs, targets, strict=True):
        hidden.append(np.tanh(w["W"] @ hidden[-1] + w["U"][:, x] + w["b"]))
        scores = w["V"] @ hidden[-1] + w["c"]
        exponentials = np.exp(scores - scores.max())
        softmax.append(exponentials / exponentials.sum())
        loss -= math.log(softmax[-1][y])
    gradients = {name: np.zeros_like(value) for name, value in w.items()}
    later = np.zeros_like(h)
    for t in reversed(range(len(inputs))):
        scores = softmax[t].copy()
        scores[targets[t]] -= 1
        gradients["V"] += np.outer(scores, hidden[t + 1])
        gradients["c"] += scores
        total = (w["V"].T @ scores + later) * (1 - hidden[t + 1] ** 2)
        gradients["W"] += np.outer(total, hidden[t])
        gradients["U"][:, inputs[t]] += total
        gradients["b"] += total
        later = w["W"].T @ total
    return loss, gradients, hidden[-1]


def test_two_hundred_updates_are_those_of_the_description_across_the_start_of_the_book(tiny_text: str) -> None:
    corpus = stream(tiny_text, 900)
    state = prepared(corpus, **NETWORK, **ADAGRAD, width=7, steps=200)
    layer = state.model.layers[0]
    names = {"W": layer.recurrent_weight, "U": layer.input_weight, "b": layer.bias}
    names |= {"V": state.model.output.weight, "c": state.model.output.bias}
    w = {name: value.detach().numpy().copy() for name, value in names.items()}
    squares = {name: np.zeros_like(value) for name, value in w.items()}
    ids, place, h, clipped = [int(i) for i in corpus.train.ids], 0, np.zeros(7), 0
    for stepped in steps(state, 200):
        if place + T + 1 > len(ids):
            place, h = 0, np.zeros(7)
        loss, gradients, h = losses_and_gradients(w, ids[place : place + T], ids[place + 1 : place + T + 1], h)
        assert stepped.train_nats * T == pytest.approx(loss, abs=1e-10)
        for name, gradient in gradients.items():
            clipped += int((np.abs(gradient) > CLIP).sum())
            gradient = np.clip(gradient, -CLIP, CLIP)
            squares[name] += gradient**2
            w[name] -= ETA / np.sqrt(squares[name] + EPSILON) * gradient
        place += T
    assert 1.2 * len(ids) < 200 * T
    assert clipped > 100
    for name, value in names.items():
        np.testing.assert_allclose(value.detach().numpy(), w[name], rtol=0, atol=1e-10)


def test_the_network_has_the_parameters_of_the_description_and_nothing_else() -> None:
    settings = Config.from_flat({**NETWORK, "width": 100}).model
    m, k = 100, 73
    assert parameter_count(build(settings, k)) == m * m + m * k + m + k * m + k


def test_the_smoothed_loss_is_the_recurrence_at_every_logged_point(tiny_text: str, tmp_path: Path) -> None:
    corpus, settings = stream(tiny_text, 900), {**NETWORK, **ADAGRAD, "width": 7, "steps": 40, "sample_length": 3}
    losses = [stepped.train_nats for stepped in steps(prepared(corpus, **settings), 40)]
    run = train(corpus, tmp_path, **settings, smoothing=0.9, eval_every=8).run
    expected = [losses[0]]
    for loss in losses[1:]:
        expected.append(0.9 * expected[-1] + 0.1 * loss)
    logged = [line for line in run.metrics() if line["event"] == "train"]
    assert [line["step"] for line in logged] == list(range(1, 41))
    assert [line["smoothed_nats"] for line in logged] == pytest.approx(expected, abs=1e-14)
    evaluated = {line["step"]: line["smoothed_nats"] for line in run.metrics() if line["event"] == "evaluation"}
    assert evaluated == pytest.approx({step: expected[step - 1] for step in (8, 16, 24, 32, 40)}, abs=1e-14)
    assert losses[0] == pytest.approx(math.log(corpus.tokenizer.size), abs=0.01)


def test_the_mean_of_the_last_pass_counts_each_of_its_updates_once(tiny_text: str, tmp_path: Path) -> None:
    corpus, settings = stream(tiny_text, 300), {**NETWORK, **ADAGRAD, "width": 7, "sample_length": 3}
    a_pass = (len(corpus.train.ids) - 1) // T
    losses = [stepped.train_nats for stepped in steps(prepared(corpus, **settings, steps=90), 90)]
    long = train(corpus, tmp_path, "long", **settings, steps=90).run
    found = mean_of_last_pass(long)
    assert (found.updates, found.whole) == (a_pass, True)
    assert found.nats == pytest.approx(sum(losses[-a_pass:]) / a_pass, abs=1e-12)
    short = mean_of_last_pass(train(corpus, tmp_path, "short", **settings, steps=20).run)
    assert (short.updates, short.whole) == (20, False)
    assert short.nats == pytest.approx(sum(losses[:20]) / 20, abs=1e-12)
    smoothed = smoothed_loss(long)
    assert smoothed.at(1) == losses[0]
    assert smoothed.at(91) is None
    assert smoothed.best == (min(smoothed.nats), 90)


@pytest.mark.long
def test_the_page_shows_gradients_and_losses_beside_the_reported_ones(tmp_path: Path, commands: Commands) -> None:
    line = "It was a dark night; the wind blew.\n"
    (tmp_path / "novel.txt").write_text(line * 60, encoding="utf-8")
    text = listed()["novel-rnn"].read_text(encoding="utf-8")
    text = text.replace('"great-expectations"', f'"{tmp_path / "novel.txt"}"').replace("steps = 300000", "steps = 30")
    text = text.replace("steps = 150000", "steps = 400").replace("eval_every = 10000", "eval_every = 200")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    found = commands("run", tmp_path / "mine.toml", "--out", tmp_path / "out", "--json").json
    shown = {exhibit["name"]: exhibit for exhibit in found["exhibits"]}
    assert [row[0] for row in shown["gradient-check"]["rows"]] == ["W", "U", "V", "b", "c"]
    first = shown["gradient-check"]["rows"][0]
    assert first[2::2] == [1.763145e-08, 3.775267e-08, 6.008963e-08]
    assert max(first[1::2]) < 1e-6
    curves = {series["name"]: series for series in shown["smooth-loss"]["series"]}
    assert curves["reported, on another novel"]["y"][:2] == [109.55, 54.26]
    assert curves["adagrad"]["y"][0] == pytest.approx(25 * math.log(len(set(line))), rel=0.01)
    means = {row[0]: row[3] for row in shown["novel-recipes"]["rows"]}
    assert means["adagrad"] is None
    assert means["ours"] < means["handout"]
    assert [len(one["text"]) for one in shown["synthesis"]["texts"]] == [200, 1000]
    verdicts = {target["figure"]: target["verdict"] for target in found["targets"]}
    assert verdicts["worst relative error of a gradient"] == "reached"
    assert verdicts["ours: mean of the last pass"] == "reached"


def test_the_recipe_trains_the_network_of_the_description() -> None:
    recipe = load_recipe("novel-rnn")
    for part, run in recipe.runs():
        config = Config.from_flat(recipe.given(part, run))
        assert parameter_count(build(config.model, 73)) == 100 * 100 + 100 * 73 + 100 + 73 * 100 + 73
        train = config.train
        assert (train.batch_size, train.sequence_length, train.clip_norm, train.smoothing) == (1, 25, None, 0.999)
        if run.id == "adagrad":
            assert (train.optimizer, train.lr, train.schedule, train.steps) == ("adagrad", 0.1, "constant", 300_000)
            assert 25 * (train.clip_value or 0) == pytest.approx(5)
            assert 625 * train.epsilon == pytest.approx(1e-8)
        else:
            assert (train.clip_value, train.steps) == (None, 150_000)
