"""Dropout from a place and a seed: the same mask everywhere, at the right rate, without a pattern."""

import math

import pytest
import torch

from glassloom.kernels import native
from glassloom.kernels.dropout import dropout, dropped, scattered

SETS = [None, *(native.LIBRARY.sets if native.LIBRARY else [])]
SEED = 0x0123456789ABCDEF


def in_whole_numbers(place: int, seed: int) -> int:
    """The scatter once more, by Python's own numbers."""
    low, high = seed % 2**32, seed // 2**32
    x = (place + low) % 2**32
    x = (x ^ (x // 2**16)) * 0x7FEB352D % 2**32 ^ high
    x = (x ^ (x // 2**15)) * 0x846CA68B % 2**32
    return x ^ (x // 2**16)


def test_the_scatter_is_the_one_that_is_written_down() -> None:
    found = scattered(torch.tensor([0, 1, 77, 2**32 - 1]), SEED).tolist()
    assert found == [in_whole_numbers(place, SEED) for place in (0, 1, 77, 2**32 - 1)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5, 7), (2, 0), (130, 67)], ids=str)
def test_every_implementation_drops_the_same_entries(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    values = torch.linspace(1, 2, math.prod(shape), dtype=dtype).view(shape)
    for shared in (False, True):
        places = torch.arange(values[:1].numel() if shared else values.numel()).tolist()
        stays = [in_whole_numbers(place, SEED) >= round(0.3 * 2**32) for place in places]
        mask = torch.tensor(stays).view(1, *shape[1:]) if shared else torch.tensor(stays).view(shape)
        for name in SETS:
            with native.using(name):
                found = dropped(values, 0.3, SEED, shared)
            assert torch.allclose(found, values * mask / 0.7), (name, shared)
            assert torch.equal(found != 0, mask.expand(shape)), (name, shared)


def test_a_slice_and_a_transpose_are_taken_as_they_lie() -> None:
    values = torch.rand(6, 8).t()[1:, ::2] + 1
    for name in SETS:
        with native.using(name):
            assert torch.equal(dropped(values, 0.5, SEED, False), dropped(values.contiguous(), 0.5, SEED, False))


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_entries_drop_at_the_rate_and_apart_from_their_neighbours(rate: float) -> None:
    """Each figure is held to 5 standard deviations: one false alarm in some 100,000 runs, were the seeds not fixed."""
    count, kept = 2**20, 1 - rate
    spread = 5 * math.sqrt(rate * kept / count)
    generator = torch.Generator().manual_seed(5)
    masks = [dropout(torch.ones(count), rate, generator) != 0 for _ in range(3)]
    for mask in masks:
        assert abs(mask.float().mean() - kept) < spread
        for distance in (1, 2, 16, 256, 1000):
            both = (mask[:-distance] & mask[distance:]).float().mean()
            assert abs(both - kept**2) < 5 * math.sqrt(kept**2 * (1 - kept**2) / count) + 2 * kept * spread
    both = (masks[0] & masks[1]).float().mean()
    assert abs(both - kept**2) < 5 * math.sqrt(kept**2 * (1 - kept**2) / count)
    assert not torch.equal(masks[1], masks[2])


def test_the_gradient_passes_where_the_value_did() -> None:
    values = torch.randn(50, 3, dtype=torch.float64, requires_grad=True)
    out = dropout(values, 0.4, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(out.sum(), values)
    assert torch.equal(gradient != 0, out != 0)
    assert torch.allclose(gradient[gradient != 0], torch.tensor(1 / 0.6, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda x: dropout(x, 0.4, torch.Generator().manual_seed(0)), values)
    assert torch.autograd.gradgradcheck(lambda x: dropout(x, 0.4, torch.Generator().manual_seed(0)), values)


def test_a_generator_put_back_draws_the_same_mask() -> None:
    generator = torch.Generator().manual_seed(9)
    state = generator.get_state()
    first = dropout(torch.ones(100), 0.5, generator)
    second = dropout(torch.ones(100), 0.5, generator)
    generator.set_state(state)
    assert torch.equal(dropout(torch.ones(100), 0.5, generator), first)
    assert not torch.equal(first, second)
