"""The vanilla network of the novel, against an independent NumPy writing of its description (REFERENCE B).

There the loss is the sum over a window's characters and the gradient is clipped element by element before AdaGrad
accumulates it; here the loss is the mean. With T characters the two are the same updates when the clip is 5 / T and
the epsilon eps / T^2, since eta (g/T) / sqrt(m/T^2 + eps/T^2) = eta g / sqrt(m + eps).
"""

import math
from pathlib import Path

import numpy as np
import pytest

from glassloom.config import Config
from glassloom.models import build
from glassloom.models.summary import parameter_count
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
