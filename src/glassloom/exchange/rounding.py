"""Weights in 16 bits: half the room, and so little lost that no loss moves by a thousandth of a nat.

float16 keeps 11 digits of two where bfloat16 keeps 8, and what a model has learned lies well within its range; a tensor
that does not is kept in bfloat16. What either costs is measured by `benchmarks/page_in_browser.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.errors import GlassloomError

LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Rounded:
    """A tensor in 16 bits: `type` is float16 or bfloat16, `data` its numbers in little-endian order."""

    name: str
    type: str
    count: int
    data: bytes


def rounded(name: str, weight: Tensor, type: torch.dtype | None = None) -> Rounded:
    """A weight in 16 bits: in float16 where it fits, unless a type is asked for.

    >>> rounded("bias", torch.tensor([1.0, -2.0])).data.hex(" ", 2)
    '003c 00c0'

    Raises:
        GlassloomError: it holds what is no finite number.
    """
    if not weight.isfinite().all():
        raise GlassloomError(
            f"The weight {name} is not finite", "a model that has not diverged", "export an earlier --step"
        )
    type = type or (torch.float16 if weight.abs().max() <= LARGEST else torch.bfloat16)
    halves = weight.detach().cpu().to(type).contiguous().view(torch.int16)
    return Rounded(name, str(type).removeprefix("torch."), weight.numel(), halves.numpy().astype("<i2").tobytes())


def all_rounded(weights: Iterable[tuple[str, Tensor]], type: torch.dtype | None = None) -> list[Rounded]:
    """Every weight in 16 bits."""
    return [rounded(name, weight, type) for name, weight in weights]
