"""How a transformer knows where a token stands.

    sinusoidal   P[p, 2i] = sin(p / 10000^(2i/width)), P[p, 2i+1] = cos(the same)            (Vaswani et al. 2017)
    learned      a trained table P                                                           (added to the embedding)
    rotary       query and key at p are turned by the angle p / 10000^(2i/head) in plane i   (Su et al. 2021), so that
                 their product depends on the distance only. Plane i is entries i and i + head/2.
    none         nothing; the causal mask alone tells the past from the future

Learned and sinusoidal tables end at `context`. Beyond it the window restarts on its last context/2 tokens, at moments
that depend on the absolute position alone, so that any division of a text into pieces meets the same windows.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

BASE = 10000.0


def frequencies(count: int, device: torch.device | None = None) -> Float[Tensor, " count"]:
    """10000^(-i/count) for i from 0, in float64."""
    return BASE ** (-torch.arange(count, dtype=torch.float64, device=device) / count)


def sinusoids(context: int, width: int) -> Float[Tensor, "context width"]:
    """The fixed table of Vaswani et al. (2017), section 3.5, computed in float64.

    >>> sinusoids(2, 2)[1].tolist() == [torch.tensor(1.0).sin().item(), torch.tensor(1.0).cos().item()]
    True
    """
    angles = torch.arange(context, dtype=torch.float64)[:, None] * frequencies((width + 1) // 2)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)[:, :width].float()


Turn = tuple[Tensor, Tensor]
"""Cosine and sine of every position's angles, `batch 1 time planes`."""


def turns(positions: Int[Tensor, "batch time"], head_width: int, dtype: torch.dtype) -> Turn:
    """The rotary angles at absolute positions, computed in float64: a stream of any length keeps its precision."""
    angles = positions[:, None, :, None] * frequencies(head_width // 2, positions.device)
    return angles.cos().to(dtype), angles.sin().to(dtype)


def turn(values: Float[Tensor, "batch heads time head"], by: Turn) -> Float[Tensor, "batch heads time head"]:
    """Queries or keys, each plane turned by its position's angle."""
    cosine, sine = by
    first, second = values.chunk(2, -1)
    turned = torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)
    return turned.to(values.dtype)


def window(position: int, context: int) -> tuple[int, int]:
    """Start and end of the window in which the token at an absolute position is seen, for tables that end at `context`.

    >>> [window(position, 4) for position in (0, 3, 4, 5, 6)]
    [(0, 4), (0, 4), (2, 6), (2, 6), (4, 8)]
    """
    if position < context:
        return 0, context
    step = context - context // 2
    start = ((position - context) // step + 1) * step
    return start, start + context
