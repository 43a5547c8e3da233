"""Keeping gradients in bounds: by their global norm (Pascanu et al., 2013), or element by element."""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from glassloom.training.shares import own


@torch.no_grad()
def clip_gradients(
    parameters: Iterable[nn.Parameter],
    norm: float | None = None,
    value: float | None = None,
    over_shares: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Clip the gradients in place, and say their global norm before and after.

    `value` bounds each element to [-value, value]; `norm` then scales all gradients by min(1, norm / (global norm +
    1e-6)). Either may be None. The two norms are scalars on the gradients' device: reading them, not computing them,
    waits for it. The norm before is not finite exactly where a gradient is not (or where their squares overflow).
    Where each worker holds its share of every gradient, `over_shares` adds up a scalar over all of them.

    >>> weights = nn.Parameter(torch.zeros(2))
    >>> weights.grad = torch.tensor([3.0, 4.0])
    >>> [round(float(total), 4) for total in clip_gradients([weights], norm=1.0)]
    [5.0, 1.0]
    """
    gradients = [own(weights.grad) for weights in parameters if weights.grad is not None]
    before = after = global_norm(gradients, over_shares)
    if value is not None:
        torch._foreach_clamp_min_(gradients, -value)
        torch._foreach_clamp_max_(gradients, value)
        after = global_norm(gradients, over_shares)
    if norm is not None:
        factor = torch.clamp(norm / (after + 1e-6), max=1.0)
        torch._foreach_mul_(gradients, factor)
        after = after * factor
    return before, after


def global_norm(gradients: Sequence[Tensor], over_shares: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """The norm of all entries together: one call for the tensors' own norms, one for the norm of these."""
    if not gradients:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(gradients))))
    return norm if over_shares is None else over_shares(norm.square()).sqrt()
