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


def frequencies(head_width: int, base: float = BASE) -> Float[Tensor, " planes"]:
    """The angle by which each plane of a head is turned from one position to the next, in float64."""
    planes = head_width // 2
    return base ** (-torch.arange(planes, dtype=torch.float64) / planes)


def angles(positions: Int[Tensor, "batch time"], planes: int, base: float = BASE) -> Float[Tensor, "batch time planes"]:
    """position / base^(i / planes) for i from 0, in float64: a stream of any length keeps its precision."""
    exact = positions.cpu() if positions.device.type == "mps" else positions  # a device without float64
    return exact[:, :, None] * base ** (-torch.arange(planes, dtype=torch.float64, device=exact.device) / planes)


def sinusoids(
    positions: Int[Tensor, "batch time"], width: int, like: Float[Tensor, "..."]
) -> Float[Tensor, "batch time width"]:
    """The fixed vectors of Vaswani et al. (2017), section 3.5, in the type and on the device of `like`.

    >>> sinusoids(torch.tensor([[1]]), 2, torch.zeros(1))
    tensor([[[0.8415, 0.5403]]])
    """
    found = angles(positions, (width + 1) // 2)
    return torch.stack([found.sin(), found.cos()], -1).flatten(2)[:, :, :width].to(like)


Turn = tuple[Tensor, Tensor]
"""Cosine and sine of every position's angles, `batch 1 time planes`."""


def turns(
    positions: Int[Tensor, "batch time"], head_width: int, like: Float[Tensor, "..."], base: float = BASE
) -> Turn:
    """The rotary angles at absolute positions, in the type and on the device of `like`."""
    found = angles(positions, head_width // 2, base).unsqueeze(1)
    return found.cos().to(like), found.sin().to(like)


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
