"""Optimizers: three steps by hand, torch's own where the equation is the same, and states that come back bit by bit.

Also what happens to the gradients before (clipping) and to the weights after (averaging).
"""

import json
import math
from typing import Any

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from glassloom.config import Config
from glassloom.config.training import TrainSettings
from glassloom.errors import RunError
from glassloom.models.contract import LanguageModel
from glassloom.training.averaging import WeightAverage
from glassloom.training.clipping import clip_gradients
from glassloom.training.optimizers import (
    build_optimizer,
    optimizer_state,
    orthogonalised,
    restore_optimizer_state,
    set_learning_rate,
)

OPTIMIZERS = ("sgd", "adagrad", "rmsprop", "adam", "adamw", "muon")


class TwoNumbers(LanguageModel):
    """The two-parameter problem: one matrix of one number, one vector of one number."""

    def __init__(self) -> None:
        super().__init__(None, vocabulary=1)
        self.matrix = nn.Parameter(torch.tensor([[1.0]], dtype=torch.float64))
        self.vector = nn.Parameter(torch.tensor([-2.0], dtype=torch.float64))

    def gate_counts(self) -> dict[str, int]:
        return {"matrix": 1}


class Gated(LanguageModel):
    """Parameters of every kind: embedding, output, a matrix of three gates, a plain one, a tall one, a bias."""

    def __init__(self, dtype: torch.dtype = torch.float64) -> None:
        super().__init__(None, vocabulary=11)
        generator = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype))

        self.embedding, self.output, self.bias = normal(11, 8), normal(11, 8), normal(11)
        self.gates, self.plain, self.tall = normal(24, 8), normal(8, 8), normal(32, 8)

    def gate_counts(self) -> dict[str, int]:
        return {"gates": 3, "plain": 1, "tall": 1}

    def give_gradients(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        for weights in self.parameters():
            weights.grad = torch.randn(weights.shape, generator=generator, dtype=weights.dtype)


def by_hand(name: str, theta: float, gradients: list[float], s: TrainSettings, decay: float) -> float:
    """The equations of the optimizers' docstring, number by number."""
    m = v = 0.0
    for step, g in enumerate(gradients, start=1):
        if name in ("sgd", "adagrad", "rmsprop", "adam"):
            g += decay * theta
        else:
            theta -= s.lr * decay * theta
        if name == "sgd":
            v = s.momentum * v + g
            theta -= s.lr * v
        elif name == "adagrad":
            m += g * g
            theta -= s.lr / math.sqrt(m + s.epsilon) * g
        elif name == "rmsprop":
            m = s.beta2 * m + (1 - s.beta2) * g * g
            v = s.momentum * v + g / (math.sqrt(m) + s.epsilon)
            theta -= s.lr * v
        else:
            m = s.beta1 * m + (1 - s.beta1) * g
            v = s.beta2 * v + (1 - s.beta2) * g * g
            corrected = math.sqrt(v / (1 - s.beta2**step))
            theta -= s.lr * m / (1 - s.beta1**step) / (corrected + s.epsilon)
    return theta


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_three_steps_equal_the_equations_worked_out_by_hand(name: str, decay: float) -> None:
    settings = TrainSettings(
        optimizer=name, lr=0.1, momentum=0.8, beta1=0.7, beta2=0.95, epsilon=1e-3, weight_decay=decay
    )
    model = TwoNumbers()
    optimizer = build_optimizer(model, settings)
    gradients = [(0.5, -1.0), (-0.25, 3.0), (2.0, 0.125)]
    for matrix, vector in gradients:
        model.matrix.grad = torch.tensor([[matrix]], dtype=torch.float64)
        model.vector.grad = torch.tensor([vector], dtype=torch.float64)
        optimizer.step()
    assert model.matrix.item() == pytest.approx(
        by_hand(name, 1.0, [g for g, _ in gradients], settings, decay), abs=1e-12
    )
    assert model.vector.item() == pytest.approx(
        by_hand(name, -2.0, [g for _, g in gradients], settings, 0.0), abs=1e-12
    )


def test_adagrad_has_epsilon_inside_the_root() -> None:
    model = TwoNumbers()
    optimizer = build_optimizer(model, TrainSettings(optimizer="adagrad", lr=1.0, epsilon=3.0))
    model.matrix.grad = torch.ones(1, 1, dtype=torch.float64)
    optimizer.step()
    assert model.matrix.item() == 0.5  # 1 - 1 / sqrt(1 + 3); outside the root it would be 1 - 1 / (1 + 3)


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", lambda p, s: torch.optim.SGD(p, lr=s.lr, momentum=s.momentum)),
        ("rmsprop", lambda p, s: torch.optim.RMSprop(p, lr=s.lr, alpha=s.beta2, eps=s.epsilon, momentum=s.momentum)),
        ("adam", lambda p, s: torch.optim.Adam(p, lr=s.lr, betas=(s.beta1, s.beta2), eps=s.epsilon)),
        ("adamw", lambda p, s: torch.optim.AdamW(p, lr=s.lr, betas=(s.beta1, s.beta2), eps=s.epsilon, weight_decay=0)),
    ],
)
def test_ours_equal_torchs_plain_ones(name: str, reference) -> None:
    settings = TrainSettings(optimizer=name, lr=0.01, momentum=0.9)
    ours, theirs = Gated(), Gated()
    optimizer, expected = build_optimizer(ours, settings), reference(theirs.parameters(), settings)
    for seed in range(5):
        for model, chosen in ((ours, optimizer), (theirs, expected)):
            model.give_gradients(seed)
            chosen.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


def muon_updates(model: Gated, steps: int = 1, **settings: float) -> dict[str, Tensor]:
    """How far each parameter moved in the last of some steps with lr 1."""
    optimizer = build_optimizer(model, TrainSettings(optimizer="muon", lr=1.0, **settings))
    for seed in range(steps):
        before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
        model.give_gradients(seed)
        optimizer.step()
    return {name: weights.detach() - before[name] for name, weights in model.named_parameters()}


@pytest.mark.parametrize("steps", [1, 3])
def test_muons_update_has_singular_values_near_one_in_each_gate(steps: int) -> None:
    moved = muon_updates(Gated(), steps)
    matrices = [*moved["gates"].chunk(3), moved["plain"], moved["tall"]]
    for matrix in matrices:
        singular = torch.linalg.svdvals(matrix) / (0.2 * math.sqrt(max(matrix.shape)))
        assert 0.6 < singular.min() <= singular.max() < 1.25


def test_muon_keeps_the_singular_vectors_of_the_momentum() -> None:
    matrix = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    inside = left.T @ orthogonalised(matrix[None])[0] @ right.T
    torch.testing.assert_close(inside, inside.diagonal().diag(), rtol=0, atol=1e-10)


def test_in_bfloat16_the_orthogonalised_momentum_moves_by_a_hundredth() -> None:
    matrices = torch.randn(3, 24, 40, generator=torch.Generator().manual_seed(0))
    exact, rounded = orthogonalised(matrices), orthogonalised(matrices, rounded=True)
    assert rounded.dtype == torch.float32
    assert 1e-3 < float((rounded - exact).norm() / exact.norm()) < 3e-2


def test_muon_treats_stacked_gates_as_separate_matrices() -> None:
    class Separate(Gated):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ParameterList([nn.Parameter(part.clone()) for part in self.gates.detach().chunk(3)])
            del self.gates

        def gate_counts(self) -> dict[str, int]:
            return {"plain": 1, "tall": 1} | {f"parts.{index}": 1 for index in range(3)}

    stacked, separate = Gated(), Separate()
    optimizers = [build_optimizer(m, TrainSettings(optimizer="muon", weight_decay=0.1)) for m in (stacked, separate)]
    for seed in range(4):
        stacked.give_gradients(seed)
        for part, gradient in zip(separate.parts, stacked.gates.grad.chunk(3), strict=True):
            part.grad = gradient.clone()
        for name in ("embedding", "output", "bias", "plain", "tall"):
            getattr(separate, name).grad = getattr(stacked, name).grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(stacked.gates, torch.cat(list(separate.parts)), rtol=0, atol=1e-12)
    torch.testing.assert_close(stacked.plain, separate.plain, rtol=0, atol=1e-12)


def test_muon_equals_torchs_on_plain_matrices_and_adamw_on_the_rest() -> None:
    settings = TrainSettings(optimizer="muon", lr=0.01, weight_decay=0.1)
    ours, theirs = Gated(torch.float32), Gated(torch.float32)
    optimizer = build_optimizer(ours, settings)
    muon = torch.optim.Muon(
        [theirs.plain, theirs.tall], lr=0.01, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW([theirs.embedding, theirs.output], lr=0.01, betas=(0.9, 0.99), weight_decay=0.1)
    free = torch.optim.AdamW([theirs.bias], lr=0.01, betas=(0.9, 0.99), weight_decay=0.0)
    for seed in range(3):
        ours.give_gradients(seed)
        theirs.give_gradients(seed)
        for chosen in (optimizer, muon, adamw, free):
            chosen.step()
    for name in ("embedding", "output", "bias"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-6)
    for name in ("plain", "tall"):  # torch iterates in bfloat16: some two decimal digits of three steps of 0.01
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_pulls_matrices_and_leaves_vectors(name: str) -> None:
    plain, decayed = Gated(), Gated()
    for model, decay in ((plain, 0.0), (decayed, 0.1)):
        optimizer = build_optimizer(model, TrainSettings(optimizer=name, lr=0.01, weight_decay=decay))
        for seed in range(2):
            model.give_gradients(seed)
            optimizer.step()
    assert torch.equal(plain.bias, decayed.bias)
    for matrix in ("embedding", "output", "gates", "plain", "tall"):
        assert not torch.allclose(getattr(plain, matrix), getattr(decayed, matrix), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_saved_by_parameter_name_goes_on_bit_by_bit(name: str, dtype: torch.dtype) -> None:
    settings = TrainSettings(optimizer=name, lr=0.01, momentum=0.9, weight_decay=0.01)
    original, resumed = Gated(dtype), Gated(dtype)
    optimizer = build_optimizer(original, settings)
    for seed in range(3):
        original.give_gradients(seed)
        optimizer.step()
    set_learning_rate(optimizer, 0.005)
    tensors, numbers = optimizer_state(optimizer, original)
    assert all(key.rpartition(".")[0] in dict(original.named_parameters()) for key in tensors)
    tensors, numbers = load(save(tensors)), json.loads(json.dumps(numbers))
    resumed.load_state_dict(original.state_dict())
    other = build_optimizer(resumed, settings)
    restore_optimizer_state(other, resumed, tensors, numbers)
    for seed in range(3, 6):
        for model, chosen in ((original, optimizer), (resumed, other)):
            model.give_gradients(seed)
            chosen.step()
        for a, b in zip(original.parameters(), resumed.parameters(), strict=True):
            assert torch.equal(a, b)
    again, _ = optimizer_state(other, resumed)
    first, _ = optimizer_state(optimizer, original)
    assert again.keys() == first.keys()
    assert all(torch.equal(again[key], first[key]) for key in again)


def test_a_restored_state_is_a_copy() -> None:
    model = Gated()
    settings = TrainSettings(optimizer="adam")
    optimizer, other = build_optimizer(model, settings), build_optimizer(model, settings)
    model.give_gradients(0)
    optimizer.step()
    tensors, numbers = optimizer_state(optimizer, model)
    before = tensors["bias.exp_avg"].clone()
    restore_optimizer_state(other, model, tensors, numbers)
    other.step()
    assert torch.equal(tensors["bias.exp_avg"], before)


def test_a_state_of_another_optimizer_or_model_is_refused() -> None:
    model = Gated()
    adam, muon = (build_optimizer(model, TrainSettings(optimizer=name)) for name in ("adam", "muon"))
    model.give_gradients(0)
    adam.step()
    tensors, numbers = optimizer_state(adam, model)
    with pytest.raises(RunError, match=r"one of Adam.*one of Muon"):
        restore_optimizer_state(muon, model, tensors, numbers)
    with pytest.raises(RunError, match=r"bias.exp_avg has shape \(3,\).*shape \(11,\)"):
        restore_optimizer_state(adam, model, tensors | {"bias.exp_avg": torch.zeros(3)}, numbers)
    with pytest.raises(RunError, match="parameters of this model"):
        restore_optimizer_state(adam, model, {"elsewhere.exp_avg": torch.zeros(11)}, numbers)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_frozen_parameters_and_those_without_gradient_stay(name: str) -> None:
    model = Gated()
    model.plain.requires_grad_(False)
    before = {key: weights.detach().clone() for key, weights in model.named_parameters()}
    optimizer = build_optimizer(model, TrainSettings(optimizer=name))
    model.give_gradients(0)
    model.tall.grad = model.output.grad = None
    optimizer.step()
    moved = {key for key, weights in model.named_parameters() if not torch.equal(weights, before[key])}
    assert moved == {"embedding", "bias", "gates"}


def parameters(*gradients: list[float]) -> list[nn.Parameter]:
    made = [nn.Parameter(torch.zeros(len(gradient))) for gradient in gradients]
    for weights, gradient in zip(made, gradients, strict=True):
        weights.grad = torch.tensor(gradient)
    return [*made, nn.Parameter(torch.zeros(3))]  # and one without a gradient


def gradients(made: list[nn.Parameter]) -> list[float]:
    return [value for weights in made if weights.grad is not None for value in weights.grad.tolist()]


def test_clipping_by_norm_scales_all_gradients_alike() -> None:
    made = parameters([3.0, 0.0], [4.0])
    before, after = clip_gradients(made, norm=2.5)
    assert gradients(made) == pytest.approx([1.5, 0.0, 2.0], rel=1e-6)
    assert (float(before), float(after)) == pytest.approx((5.0, 2.5), rel=1e-6)


def test_clipping_by_value_bounds_each_element() -> None:
    made = parameters([3.0, -0.5], [-4.0])
    before, after = clip_gradients(made, value=1.0)
    assert gradients(made) == [1.0, -0.5, -1.0]
    assert (float(before), float(after)) == pytest.approx((math.sqrt(25.25), 1.5))


def test_clipping_by_both_takes_the_elements_first() -> None:
    made = parameters([3.0, -0.5], [-4.0])
    _, after = clip_gradients(made, norm=0.75, value=1.0)
    assert gradients(made) == pytest.approx([0.5, -0.25, -0.5], rel=1e-5)
    assert float(after) == pytest.approx(0.75, rel=1e-5)


def test_small_gradients_are_left_alone_and_their_norm_is_told() -> None:
    made = parameters([0.3, 0.0], [0.4])
    before, after = clip_gradients(made, norm=1.0)
    assert gradients(made) == [pytest.approx(0.3), 0.0, pytest.approx(0.4)]
    assert float(before) == float(after) == pytest.approx(0.5)
    before, after = clip_gradients(made)
    assert float(before) == float(after) == pytest.approx(0.5)


def test_a_gradient_that_is_not_finite_shows_in_the_norm() -> None:
    before, _ = clip_gradients(parameters([math.nan], [1.0]), norm=1.0, value=5.0)
    assert math.isnan(before)
    assert math.isinf(clip_gradients(parameters([math.inf], [1.0]), value=5.0)[0])


def test_the_average_weighs_as_by_hand_and_forgets_the_initial_weights() -> None:
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    average = WeightAverage(layer, decay=0.9)
    values = [2.0, -1.0, 4.0]
    for count, value in enumerate(values, start=1):
        nn.init.constant_(layer.weight, value)
        average.update()
        shares = [0.9 ** (count - index) for index in range(1, count + 1)]
        expected = sum(s * v for s, v in zip(shares, values[:count], strict=True)) / sum(shares)
        with average.applied():
            assert layer.weight.item() == pytest.approx(expected, abs=1e-12)
        assert layer.weight.item() == value


def test_the_models_own_weights_come_back_after_an_error_too() -> None:
    layer = nn.Linear(3, 2)
    average = WeightAverage(layer, decay=0.5)
    nn.init.constant_(layer.weight, 7.0)
    with pytest.raises(KeyError), average.applied():
        raise KeyError
    assert (layer.weight == 7.0).all()


def test_a_saved_average_goes_on_bit_by_bit() -> None:
    layer, other = nn.Linear(3, 2), nn.Linear(3, 2)
    average, resumed = WeightAverage(layer, decay=0.9), WeightAverage(other, decay=0.9)
    average.update()
    tensors, numbers = average.state()
    resumed.restore(load(save(tensors)), json.loads(json.dumps(numbers)))
    other.load_state_dict(layer.state_dict())
    for module, chosen in ((layer, average), (other, resumed)):
        nn.init.ones_(module.weight)
        chosen.update()
    assert all(torch.equal(a, resumed.state()[0][name]) for name, a in average.state()[0].items())
    with pytest.raises(RunError, match="does not fit weight"):
        WeightAverage(nn.Linear(4, 2), decay=0.9).restore(*average.state())


def test_an_architectures_own_weight_decay_is_no_penalty_under_another_optimizer() -> None:
    def decay(**given: Any) -> float:
        return Config.from_flat({"model": "transformer", **given}).train.weight_decay

    assert decay() == decay(optimizer="adamw") == decay(optimizer="muon") == 0.1
    assert decay(optimizer="adam") == decay(optimizer="sgd") == 0.0
    assert decay(optimizer="adam", weight_decay=0.2) == 0.2
