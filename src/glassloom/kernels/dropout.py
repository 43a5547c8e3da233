"""Dropout (Srivastava et al. 2014) whose mask is a function of the place and a seed, so that none is kept in memory.

    stays(i) = scatter(i, seed) >= rate 2^32        scatter: a permutation of the 32-bit numbers with little bias
    y_i = x_i / (1 - rate) where it stays, else 0   (C. Wellons, "hash prospector", lowbias32, seeded twice)

The seed of 64 bits comes from a generator, once for each call: a run that resumes draws the same. The backward pass
computes the same mask again. Entries drop independently, as far as the scatter is random; a test looks at rates, at
neighbours and at calls beside each other.
"""

from typing import Any

import torch
from torch import Tensor

from glassloom.kernels import native

WORD = 0xFFFFFFFF


def dropout(values: Tensor, rate: float, generator: torch.Generator | None, shared: bool = False) -> Tensor:
    """Zero each entry with probability `rate` and divide the others by 1 - rate.

    `shared`: one mask for everything along the first axis (with `time` first: for all steps; Gal and Ghahramani 2016).

    >>> kept = dropout(torch.ones(1000), 0.5, torch.Generator().manual_seed(1))
    >>> sorted(set(kept.tolist()))
    [0.0, 2.0]
    """
    if generator is None or generator.device.type == "cpu":
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        dropped: Tensor = Dropout.apply(values, rate, seed, shared)
        return dropped
    shape = (1, *values.shape[1:]) if shared else values.shape  # elsewhere a seed would have to be waited for
    mask = torch.empty(shape, dtype=values.dtype, device=values.device)
    return values * mask.bernoulli_(1 - rate, generator=generator).div_(1 - rate)


class Dropout(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, rate: float, seed: int, shared: bool) -> Tensor:
        ctx.arguments = rate, seed, shared
        return dropped(values, rate, seed, shared)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return Dropout.apply(gradient, *ctx.arguments), None, None, None  # linear: as often differentiable as wanted


def dropped(values: Tensor, rate: float, seed: int, shared: bool) -> Tensor:
    """The entries that stay, scaled; the others zero."""
    threshold, period = round(rate * 2**32), values[:1].numel() if shared else values.numel()
    if native.has_drop(values):
        return native.drop(values, period, seed, threshold, 1 / (1 - rate))
    stays = scattered(torch.arange(period, device=values.device), seed) >= threshold
    mask = stays.to(values.dtype).div_(1 - rate)
    return values * mask.view(1, *values.shape[1:]) if shared else values * mask.view(values.shape)


def scattered(places: Tensor, seed: int) -> Tensor:
    """The scatter of places (int64), 0 to 2^32 - 1: what native/drop.h computes in 32 bits."""
    x = (places + (seed & WORD)) & WORD
    x = (((x ^ (x >> 16)) * 0x7FEB352D) & WORD) ^ (seed >> 32)
    x = ((x ^ (x >> 15)) * 0x846CA68B) & WORD
    return x ^ (x >> 16)
