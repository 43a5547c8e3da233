"""The compiled attention: the plain equations' values and gradients, for every instruction set, shape and precision."""

import pytest
import torch
from torch import Tensor

from glassloom.kernels import attention as kernel
from glassloom.kernels import native
from glassloom.models import build
from glassloom.models.attention import attend_explicitly
from glassloom.models.positions import turn, turns
from glassloom.models.transformer import TransformerSettings

SETS = list(native.LIBRARY.sets) if native.LIBRARY else []
SHAPES = [(1, 1, 1, 1), (2, 7, 3, 5), (3, 64, 4, 32), (2, 33, 2, 16), (1, 130, 2, 70), (2, 13, 1, 4), (1, 128, 3, 24)]
"""Rows, tokens, heads, entries of a head: tiles filled and not, one token, blocks of unlike size."""


def by_the_equations(projected: Tensor, turned: bool) -> tuple[Tensor, Tensor]:
    """What is mixed, and the keys, in plain torch."""
    queries, keys, contents = projected.permute(2, 0, 3, 1, 4).unbind(0)
    if turned:
        by = turns(torch.arange(projected.shape[1])[None], projected.shape[-1], like=projected)
        queries, keys = turn(queries, by), turn(keys, by)
    return attend_explicitly(queries, keys, contents, None).transpose(1, 2).flatten(2), keys


def with_gradient(projected: Tensor, turned: bool, name: str | None) -> list[Tensor]:
    """Mixed, keys and the gradient of everything that came in; `None`: in plain torch."""
    projected = projected.detach().requires_grad_()
    if name is None:
        mixed, keys = by_the_equations(projected, turned)
    else:
        _, time, _, _, width = projected.shape
        by = turns(torch.arange(time)[None], width, like=torch.zeros(1)) if turned else None
        with native.using(name):
            mixed, keys = kernel.attention(projected, by)
            loss = weighted(mixed) + weighted(keys)
            return [mixed.detach(), keys.detach(), *torch.autograd.grad(loss, projected)]
    return [mixed.detach(), keys.detach(), *torch.autograd.grad(weighted(mixed) + weighted(keys), projected)]


def weighted(values: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(values.numel())
    return (values.double() * torch.randn(values.shape, generator=generator, dtype=torch.float64)).sum()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("turned", [False, True], ids=["plain", "turned"])
def test_every_instruction_set_attends_as_the_equations_say(shape: tuple[int, int, int, int], turned: bool) -> None:
    rows, time, heads, width = shape
    if turned and width % 2:
        width += 1
    generator = torch.Generator().manual_seed(sum(shape))
    projected = torch.randn(rows, time, 3, heads, width, generator=generator, dtype=torch.float64)
    expected = with_gradient(projected, turned, None)
    for name in SETS:
        for dtype, bound in ((torch.float32, 1e-6), (torch.bfloat16, 1e-2)):
            found = with_gradient(projected.to(dtype), turned, name)
            for ours, theirs in zip(found, expected, strict=True):
                assert ours.dtype == dtype
                assert float((ours - theirs).norm()) < bound * float(theirs.norm().clamp_min(1e-6)), (name, dtype)


def test_scores_far_from_zero_neither_overflow_nor_vanish() -> None:
    projected = torch.randn(1, 40, 3, 2, 8, generator=torch.Generator().manual_seed(1)) * 30
    projected[:, :, 0] += 100
    expected = with_gradient(projected.double(), False, None)
    for name in SETS:
        found = with_gradient(projected, False, name)
        assert all(bool(one.isfinite().all()) for one in found)
        torch.testing.assert_close(found[0].double(), expected[0], rtol=1e-3, atol=1e-3)


def test_what_is_no_number_is_not_hidden_and_stays_in_its_row_and_its_future() -> None:
    projected = torch.randn(2, 20, 3, 2, 8, generator=torch.Generator().manual_seed(2))
    projected[0, 11, 1, 0, 3] = float("nan")  # a key of the first row and head
    for name in SETS:
        with native.using(name):
            mixed = kernel.attention(projected, None)[0].view(2, 20, 2, 8)
        assert mixed[0, 11:, 0].isnan().all()
        assert mixed[0, :11].isfinite().all()
        assert mixed[0, :, 1].isfinite().all()
        assert mixed[1].isfinite().all()


def test_a_second_backward_pass_gives_the_same_gradient() -> None:
    for name in SETS:
        with native.using(name):
            projected = torch.randn(2, 9, 3, 2, 6, requires_grad=True)
            loss = weighted(kernel.attention(projected, None)[0])
            first, second = (torch.autograd.grad(loss, projected, retain_graph=True)[0] for _ in range(2))
        assert torch.equal(first, second)


@pytest.mark.parametrize("positions", ["rotary", "learned"])
def test_a_model_has_the_same_loss_and_gradients_with_and_without_the_kernels(positions: str) -> None:
    settings = TransformerSettings(layers=2, width=24, heads=4, context=16, positions=positions)
    model = build(settings, 11, torch.Generator().manual_seed(0))
    tokens = torch.randint(11, (3, 16), generator=torch.Generator().manual_seed(1))
    found: dict[str | None, list[Tensor]] = {}
    for name in (None, *SETS):
        with native.using(name):
            logits, state = model(tokens)
            loss = weighted(logits)
            found[name] = [logits.detach(), *state, *torch.autograd.grad(loss, list(model.parameters()))]
    for name in SETS:
        for ours, theirs in zip(found[name], found[None], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_long_texts_on_old_machines_and_what_the_kernels_do_not_know_are_left_to_torch() -> None:
    projected = torch.zeros(1, 2000, 3, 1, 2)
    for name in SETS:
        with native.using(name):
            assert kernel.serves(projected[:, :4]) == (name != "portable")
            assert kernel.serves(projected) == name.startswith("avx512")
            assert not kernel.serves(projected.double())
            assert not kernel.serves(projected[:0])
    with native.using(None):
        assert not kernel.serves(projected)
