"""The output layer with its loss, piece by piece: equal to a linear map and a cross-entropy that hold every logit."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glassloom.kernels import native, output
from glassloom.kernels.output import WeightedNats, weighted_nats

SETS = [None, *(native.LIBRARY.sets if native.LIBRARY else [])]
SHAPES = [(1, 1, 1), (5, 3, 2), (7, 4, 16), (13, 8, 67), (64, 31, 130), (0, 3, 5)]
"""Rows, width, words."""


def given(shape: tuple[int, int, int], dtype: torch.dtype) -> tuple[list[Tensor], Tensor, Tensor]:
    rows, width, words = shape
    generator = torch.Generator().manual_seed(sum(shape))
    drawn = [torch.randn(size, generator=generator, dtype=torch.float64) for size in ((rows, width), (words, width))]
    bias = 3 * torch.randn(words, generator=generator, dtype=torch.float64)
    targets = torch.randint(words, (rows,), generator=generator)
    weights = torch.rand(rows, generator=generator, dtype=torch.float64)
    return [one.to(dtype).requires_grad_() for one in (*drawn, bias)], targets, weights.to(dtype)


def whole(inputs: list[Tensor], targets: Tensor, weights: Tensor) -> Tensor:
    return (F.cross_entropy(F.linear(*inputs), targets, reduction="none") * weights).sum()


def both_ways(loss: Callable[..., Tensor], inputs: list[Tensor], *rest: Tensor, bfloat16: bool = False) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        found = loss(*inputs, *rest) if loss is weighted_nats else loss(inputs, *rest)
    return [found.detach(), *torch.autograd.grad(3 * found, inputs)]


@pytest.mark.parametrize("words_in_a_piece", [1, 100, 10_000])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_it_equals_the_loss_over_all_logits(
    shape: tuple[int, int, int], words_in_a_piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-13)):
        monkeypatch.setattr(output, "PIECE_BYTES", words_in_a_piece * dtype.itemsize)
        inputs, targets, weights = given(shape, dtype)
        expected = both_ways(whole, inputs, targets, weights)
        for name in SETS:
            with native.using(name):
                found = both_ways(weighted_nats, inputs, targets, weights)
            for one, two in zip(found, expected, strict=True):
                assert (one - two).norm() <= bound * two.norm().clamp_min(1.0), (name, dtype)


@pytest.mark.parametrize("name", SETS)
def test_rounded_to_bfloat16_it_stays_as_near_as_that_is(name: str | None) -> None:
    inputs, targets, weights = given((64, 31, 130), torch.float32)
    expected = both_ways(whole, inputs, targets, weights)
    with native.using(name):
        found = both_ways(weighted_nats, inputs, targets, weights, bfloat16=True)
    errors = [float((one - two).norm() / two.norm()) for one, two in zip(found, expected, strict=True)]
    assert 1e-5 < max(errors) < 1e-2, errors


@pytest.mark.parametrize("name", SETS)
def test_far_logits_neither_overflow_nor_lose_the_loss(name: str | None) -> None:
    hidden = torch.tensor([[1000.0], [-1000.0]])
    weight = torch.tensor([[1.0], [0.0], [-1.0]])
    with native.using(name):
        loss = weighted_nats(hidden, weight, None, torch.tensor([2, 2]), torch.tensor([1.0, 0.0]))
    assert loss.item() == 2000.0


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("unsound", [float("nan"), float("inf")])
def test_what_is_not_finite_is_seen(name: str | None, unsound: float) -> None:
    hidden = torch.full((2, 3), 0.5)
    hidden[1, 2] = unsound
    with native.using(name):
        loss = weighted_nats(hidden, torch.ones(20, 3), None, torch.tensor([0, 1]), torch.ones(2))
    assert not torch.isfinite(loss)


def test_without_gradients_nothing_is_added_up() -> None:
    inputs, targets, weights = given((7, 4, 16), torch.float32)
    with torch.no_grad():
        found = weighted_nats(*inputs, targets, weights)
        hidden, weight, bias = inputs
        kept = Kept()
        WeightedNats.forward(kept, hidden, weight, bias, targets, weights, torch.float32, recorded=False)
    assert torch.allclose(found, whole(inputs, targets, weights))
    assert not found.requires_grad
    assert kept.saved == (None, None, None)


class Kept:
    """What a function keeps for its backward pass; every input wants a gradient."""

    needs_input_grad = (True,) * 8
    saved: tuple[object, ...] = ()

    def save_for_backward(self, *saved: object) -> None:
        """Note it."""
        self.saved = saved


@pytest.mark.parametrize("target", [-100, 20])
def test_a_target_outside_the_vocabulary_is_refused(target: int) -> None:
    with pytest.raises(IndexError, match=f"target {target} is not one of the 20"):
        weighted_nats(torch.ones(2, 3), torch.ones(20, 3), None, torch.tensor([0, target]), torch.ones(2))


@pytest.mark.parametrize(("hidden", "weight"), [(torch.bfloat16, torch.bfloat16), (torch.float32, torch.float64)])
def test_types_that_the_kernel_does_not_read_are_left_to_torch(hidden: torch.dtype, weight: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    values, table = torch.randn(9, 4, generator=generator), torch.randn(20, 4, generator=generator)
    targets = torch.arange(9)
    found = weighted_nats(values.to(hidden), table.to(weight), torch.ones(20, dtype=weight), targets, torch.ones(9))
    expected = torch.nn.functional.cross_entropy(values @ table.t(), targets, reduction="sum")
    assert float(found) == pytest.approx(float(expected), rel=2e-2 if weight == torch.bfloat16 else 1e-6)
