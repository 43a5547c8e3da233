"""Keeping gradients in bounds: by their global norm (Pascanu et al., 2013), or element by element."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def clip_gradients(
    parameters: Iterable[nn.Parameter], norm: float | None = None, value: float | None = None
) -> tuple[Tensor, Tensor]:
    """Clip the gradients in place, and say their global norm before and after.

    `value` bounds each element to [-value, value]; `norm` then scales all gradients by min(1, norm / (global norm +
    1e-6)). Either may be None. The two norms are scalars on the gradients' device: reading them, not computing them,
    waits for it. The norm before is not finite exactly where a gradient is not (or where their squares overflow).

    >>> weights = nn.Parameter(torch.zeros(2))
    >>> weights.grad = torch.tensor([3.0, 4.0])
    >>> [round(float(total), 4) for total in clip_gradients([weights], norm=1.0)]
    [5.0, 1.0]
    """
    clipped = [weights for weights in parameters if weights.grad is not None]
    gradients = [weights.grad for weights in clipped if weights.grad is not None]
    before = after = nn.utils.get_total_norm(gradients)
    if value is not None:
        for gradient in gradients:
            gradient.clamp_(-value, value)
        after = nn.utils.get_total_norm(gradients)
    if norm is not None:
        nn.utils.clip_grads_with_norm_(clipped, norm, after)
        after = after * torch.clamp(norm / (after + 1e-6), max=1.0)
    return before, after
