"""Dropout of whole words, of recurrent weights and of the state before: against the equations, written out here."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.dropout import dropout
from glassloom.models import architecture, build
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import recording

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {}),
    "gru, reset before": ("gru", {"reset": "before"}),
    "gru, reset after": ("gru", {"reset": "after", "bias": "two"}),
    "lstm": ("lstm", {}),
}
SETS = [None, *(native.LIBRARY.sets if native.LIBRARY else [])]
VOCABULARY = 11


def made(name: str, **settings: Any) -> LanguageModel:
    """A small model in training, in float64, with noise on every parameter and a generator of its own."""
    own = {"heads": 3, "context": 6} if name == "transformer" else {}
    model = build(architecture(name).Settings(**{"layers": 1, "width": 6, **own, **settings}), VOCABULARY, seeded(1))
    with torch.no_grad():
        for parameter in model.double().parameters():
            parameter.add_(torch.randn(parameter.shape, generator=seeded(2), dtype=torch.float64), alpha=0.3)
    model.generator = seeded(3)
    return model.train()


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tokens(rows: int = 3, time: int = 9) -> Tensor:
    return torch.randint(VOCABULARY, (rows, time), generator=seeded(4))


def step_by_step(name: str, model: LanguageModel, x: Tensor, weight: Tensor, seen: Tensor) -> Tensor:
    """The hidden vectors of one layer by the equations; the recurrent product takes seen * h, all else h itself."""
    layer: Any = model.get_submodule("layers.0")
    inputs, width = model.get_parameter("embedding.weight")[x], layer.width
    hidden = cell = inputs.new_zeros(len(x), width)
    found = []
    for step in (inputs @ layer.input_weight.t() + layer.bias).unbind(1):
        h = seen * hidden
        if name == "rnn":
            hidden = (step + h @ weight.t()).tanh()
        elif name == "lstm":
            i, f, n, o = (step + h @ weight.t()).chunk(4, 1)
            cell = f.sigmoid() * cell + i.sigmoid() * n.tanh()
            hidden = o.sigmoid() * cell.tanh()
        else:
            of_reset, of_update, of_candidate = weight.split(width)
            r, z, n = step.chunk(3, 1)
            second = layer.recurrent_bias if "after" in name else torch.zeros(3 * width, dtype=torch.float64)
            b_r, b_z, b_n = second.split(width)
            r, z = (r + h @ of_reset.t() + b_r).sigmoid(), (z + h @ of_update.t() + b_z).sigmoid()
            if "after" in name:
                hidden = (1 - z) * (n + r * (h @ of_candidate.t() + b_n)).tanh() + z * hidden
            else:
                hidden = (1 - z) * hidden + z * (n + (r * h) @ of_candidate.t()).tanh()
        found.append(hidden)
    return torch.stack(found, 1)


@pytest.mark.parametrize("case", CELLS)
def test_a_dropped_state_is_not_seen_by_the_recurrent_product_but_carried_over(case: str) -> None:
    name, settings = CELLS[case]
    model = made(name, dropout_state=0.4, **settings)
    seen = dropout(torch.ones(6, dtype=torch.float64)[None], 0.4, seeded(3))
    assert 0 < int((seen == 0).sum()) < 6
    weight = model.get_parameter("layers.0.recurrent_weight")
    expected = step_by_step(case, model, tokens(), weight, seen)
    assert torch.allclose(model.hidden(tokens())[0], expected, atol=1e-12)


@pytest.mark.parametrize("case", CELLS)
def test_recurrent_weights_drop_once_for_all_steps_and_rows(case: str) -> None:
    name, settings = CELLS[case]
    model = made(name, dropout_recurrent=0.4, **settings)
    weight = model.get_parameter("layers.0.recurrent_weight")
    mask = dropout(torch.ones_like(weight), 0.4, seeded(3))
    found = model.hidden(tokens())[0]
    assert torch.allclose(found, step_by_step(case, model, tokens(), weight * mask, weight.new_ones(6)), atol=1e-12)
    (gradient,) = torch.autograd.grad(found.square().sum(), weight)
    assert torch.equal(gradient != 0, mask != 0)


@pytest.mark.parametrize("case", CELLS)
def test_the_gradient_goes_through_every_mask(case: str) -> None:
    name, settings = CELLS[case]
    rates = {"dropout_words": 0.3, "dropout_recurrent": 0.3, "dropout_state": 0.3}
    model = made(name, layers=2, **rates, **settings)
    parameters = dict(model.named_parameters())
    weights, short = torch.randn(2, 4, 6, generator=seeded(5), dtype=torch.float64), tokens(2, 4)

    def loss() -> Tensor:
        model.generator = seeded(3)
        return (model.hidden(short)[0] * weights).sum()

    used = [key for key in parameters if not key.startswith("output")]
    found = torch.autograd.grad(loss(), [parameters[key] for key in used])
    for key, gradient in zip(used, found, strict=True):
        flat, numerical = parameters[key].data.view(-1), []
        for place in range(0, flat.numel(), 3):
            before = flat[place].item()
            ends = []
            for moved in (before + 1e-5, before - 1e-5):
                flat[place] = moved
                ends.append(loss().item())
            flat[place] = before
            numerical.append((ends[0] - ends[1]) / 2e-5)
        assert torch.allclose(gradient.reshape(-1)[::3], gradient.new_tensor(numerical), atol=1e-8), key


@pytest.mark.parametrize("case", CELLS)
@pytest.mark.parametrize("rates", [{"dropout_state": 0.4}, {"dropout_recurrent": 0.4, "dropout_words": 0.3}], ids=str)
def test_every_kernel_and_the_replay_that_shows_the_gates_drop_alike(case: str, rates: dict[str, float]) -> None:
    name, settings = CELLS[case]
    model = made(name, layers=2, **rates, **settings)
    found, gradients = [], []
    for kind in (*SETS, "replay"):
        model.generator = seeded(3)
        if kind == "replay":
            with recording(model):
                hidden = model.hidden(tokens())[0]
        else:
            with native.using(kind):
                hidden = model.hidden(tokens())[0]
        found.append(hidden)
        weight = model.get_parameter("layers.1.recurrent_weight")
        gradients.append(torch.autograd.grad(hidden.square().sum(), weight)[0])
    for hidden, gradient in zip(found[1:], gradients[1:], strict=True):
        assert torch.allclose(hidden, found[0], atol=1e-12)
        assert torch.allclose(gradient, gradients[0], atol=1e-11)


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_a_dropped_word_is_gone_at_every_place_of_the_batch(name: str, rate: float) -> None:
    """Rates are held to 5 standard deviations; the seeds are fixed."""
    settings = {"positions": "learned"} if name == "transformer" else {}
    model, x = made(name, dropout_words=rate, **settings), tokens(8, 20)  # longer than the transformer's window of 6
    table, dropped, drawn = model.get_parameter("embedding.weight"), 0, 60
    for _ in range(drawn):
        with recording(model) as values, torch.no_grad():
            model.hidden(x)
        shown = values["embedding"]
        if name == "transformer":
            places = torch.tensor([place if place < 6 else 3 + (place - 6) % 3 for place in range(20)])
            shown = shown - model.get_parameter("positions.weight")[places]
        share = shown.detach() / table.detach()[x]
        for word in range(VOCABULARY):
            here = share[x == word]
            assert torch.allclose(here, here[0, 0].expand_as(here), atol=1e-9)
            assert min(abs(here[0, 0].item()), abs(here[0, 0].item() - 1 / (1 - rate))) < 1e-9
            dropped += int(here[0, 0].abs() < 1e-9)
    spread = 5 * math.sqrt(rate * (1 - rate) / (drawn * VOCABULARY))
    assert abs(dropped / (drawn * VOCABULARY) - rate) < spread


def test_a_one_hot_word_drops_as_one_with_a_vector_does() -> None:
    one_hot, table = made("gru", embedding=0, dropout_words=0.4), made("gru", embedding=VOCABULARY, dropout_words=0.4)
    with torch.no_grad():
        for key, value in one_hot.named_parameters():
            table.get_parameter(key).copy_(value)
        table.get_parameter("embedding.weight").copy_(torch.eye(VOCABULARY))
    assert torch.allclose(one_hot(tokens())[0], table(tokens())[0], atol=1e-12)
    assert not torch.allclose(one_hot.eval()(tokens())[0], one_hot.train()(tokens())[0])


@pytest.mark.parametrize("name", ["rnn", "gru", "lstm", "transformer"])
def test_in_evaluation_nothing_drops_and_without_a_rate_nothing_is_drawn(name: str) -> None:
    rates = {"dropout_words": 0.5}
    rates |= {} if name == "transformer" else {"dropout_recurrent": 0.5, "dropout_state": 0.5}
    plain, thinned = made(name), made(name, **rates)
    assert plain.generator is not None
    before = plain.generator.get_state()
    expected = plain(tokens())[0]
    assert torch.equal(plain.generator.get_state(), before)
    assert torch.equal(thinned.eval()(tokens())[0], expected)
    assert not torch.allclose(thinned.train()(tokens())[0], expected)
