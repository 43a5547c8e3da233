"""`glassloom gradcheck`: sound gradients pass, and a backward pass that is 1 percent wrong is found."""

from typing import Any

import pytest
import torch
from torch import Tensor

import glassloom
from commands import Commands
from glassloom.kernels.rnn import RNNFunction
from glassloom.models import ARCHITECTURES, architecture, build
from glassloom.models.checks import gradient_errors, mean_nats
from glassloom.models.gradients import VARIANTS, GradientCheck, GradientRow, check_gradients


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_parameter_of_every_architecture_has_a_row_at_each_length_and_is_sound(name: str) -> None:
    lengths = (4,) if name == "transformer" else (2, 5)  # it has by far the most variants
    found = check_gradients([name], lengths)
    expected = [
        (variant, length, parameter)
        for variant, settings in VARIANTS[name].items()
        for length in lengths
        for parameter, _ in build(architecture(name).Settings(**settings), 7).named_parameters()
    ]
    assert [(row.variant, row.length, row.parameter) for row in found.rows] == expected
    assert {row.model for row in found.rows} == {name}
    assert found.faults == ()


def test_every_architecture_is_checked() -> None:
    assert list(VARIANTS) == list(ARCHITECTURES)


def test_an_error_is_that_of_norms_with_a_floor_of_the_largest_gradient() -> None:
    model = build(architecture("rnn").Settings(layers=1, width=4, embedding=0), 5, torch.Generator().manual_seed(3))
    model = model.double()
    tokens, step = torch.tensor([[0, 3, 1, 4, 2, 2]]), 1e-4
    names, parameters = zip(*model.named_parameters(), strict=True)
    analytic = torch.autograd.grad(mean_nats(model, tokens), parameters)
    numerical = []
    with torch.no_grad():
        for parameter in parameters:
            slopes = torch.zeros_like(parameter)
            for place in range(parameter.numel()):
                flat, value = parameter.view(-1), parameter.view(-1)[place].item()
                losses = []
                for moved in (value + step, value - step):
                    flat[place] = moved
                    losses.append(mean_nats(model, tokens))
                flat[place] = value
                slopes.view(-1)[place] = (losses[0] - losses[1]) / (2 * step)
            numerical.append(slopes)
    floor = 1e-4 * max(gradient.norm() for gradient in analytic)
    expected = {
        name: float((a - n).norm() / max(floor, a.norm() + n.norm()))
        for name, a, n in zip(names, analytic, numerical, strict=True)
    }
    assert gradient_errors(model, tokens) == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_a_backward_pass_that_is_one_percent_too_large_is_reported(
    monkeypatch: pytest.MonkeyPatch, commands: Commands
) -> None:
    right = RNNFunction.backward

    def wrong(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, recurrent, *rest = right(ctx, *gradients)
        return (inputs, weight, recurrent * 1.01, *rest)

    monkeypatch.setattr(RNNFunction, "backward", staticmethod(wrong))
    found = glassloom.gradcheck("rnn", lengths=[4])
    faults = {(row.variant, row.parameter) for row in found.faults}
    assert faults == {
        ("tanh, one-hot", "layers.0.recurrent_weight"),
        ("tanh, two layers", "layers.0.recurrent_weight"),
        ("tanh, two layers", "layers.1.recurrent_weight"),
    }
    assert [row.relative_error for row in found.faults] == pytest.approx([0.01 / 2.01] * 3, rel=1e-4)
    assert glassloom.gradcheck("gru", lengths=[2]).faults == ()
    failed = commands("gradcheck", "--model", "rnn")
    assert failed.code == 1
    assert failed.out.rstrip().endswith("9 of 48 parameters are beyond 1e-06")


def test_what_is_no_number_is_a_fault_and_the_worst() -> None:
    rows = tuple(GradientRow("rnn", "tanh", 3, name, error) for name, error in (("a", 1e-9), ("b", float("nan"))))
    found = GradientCheck(rows)
    assert [row.parameter for row in found.faults] == ["b"]
    assert [row.parameter for row in found.worst()] == ["b"]


def test_the_command_prints_every_row_as_a_table_and_as_json(commands: Commands) -> None:
    found = commands.done("gradcheck", "--model", "rnn", "--json").json["rows"]
    assert len(found) == 3 * (5 + 11)
    assert {row["length"] for row in found} == {10, 25, 40}
    assert set(found[0]) == {"model", "variant", "length", "parameter", "relative_error"}
    assert max(row["relative_error"] for row in found) < 1e-6


def test_an_unknown_architecture_names_the_nearest(commands: Commands) -> None:
    assert "did you mean lstm?" in commands.refused("gradcheck", "--model", "lstmm")
