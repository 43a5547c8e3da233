"""The output layer and the loss together, a few rows at a time: the full logits are never held.

    x = V h + b        p = softmax(x)        nats = ln sum_j e^x_j - x_t        loss = sum over rows of w nats

Backward, with D the gradient of the logits:

    D = w (p - onehot(t))       dh = V^T D      dV = sum D h^T      db = sum D

D needs nothing that comes later, so the forward pass turns a piece's logits into it on the spot and adds up the three
products; the backward pass only scales them. At 4,480 rows of 10,000 words the logits with their gradient would be
360 MB of float32; a piece is a fraction of that.
"""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.products import product_dtype, without_autocast

PIECE_BYTES = 45_000_000
"""Logits in a piece: so few that their memory is small, so many that adding up dV costs little beside them."""


def weighted_nats(
    hidden: Float[Tensor, "rows width"],
    weight: Float[Tensor, "vocab width"],
    bias: Float[Tensor, " vocab"] | None,
    targets: Int[Tensor, " rows"],
    weights: Float[Tensor, " rows"],
) -> Float[Tensor, ""]:
    """The sum over rows of `weights` times -log softmax(hidden weight^T + bias)[target], in nats.

    >>> half = weighted_nats(torch.zeros(1, 3), torch.ones(2, 3), None, torch.tensor([1]), torch.ones(1))
    >>> round(half.item(), 4)                                                              # ln 2
    0.6931

    Raises:
        IndexError: a target is none of the vocabulary (on a CPU; elsewhere torch's own check).
    """
    hidden, weights, targets = hidden.to(weight.dtype), weights.to(weight.dtype), targets.long()
    if targets.device.type == "cpu" and targets.numel():
        least, most = (int(bound) for bound in targets.aminmax())
        if least < 0 or most >= len(weight):
            raise IndexError(f"target {least if least < 0 else most} is not one of the {len(weight)} of the vocabulary")
    dtype = product_dtype(hidden)
    with without_autocast(hidden):
        loss: Tensor = WeightedNats.apply(hidden, weight, bias, targets, weights, dtype, torch.is_grad_enabled())
    return loss


class WeightedNats(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        weights: Tensor,
        dtype: torch.dtype,
        recorded: bool,
    ) -> Tensor:
        wanted = recorded and any(ctx.needs_input_grad[:3])
        rounded = weight.detach().to(dtype)
        from_hidden = torch.empty_like(hidden) if wanted else None
        from_weight = from_bias = None
        total = hidden.new_zeros(())
        rows = min(len(hidden), max(1, PIECE_BYTES // (dtype.itemsize * weight.shape[0])))
        room = hidden.new_empty(rows, weight.shape[0], dtype=dtype)
        pieces = zip(*(given.split(max(rows, 1)) for given in (hidden, targets, weights)), strict=True)
        for number, (piece, target, counts) in enumerate(pieces):
            factor = piece.to(dtype)
            logits = torch.mm(factor, rounded.t(), out=room[: len(piece)])
            total += nats_in_place(logits, bias, target, counts, wanted).to(total.dtype).dot(counts)
            if from_hidden is None:
                continue
            from_hidden[number * rows : number * rows + len(piece)] = logits @ rounded
            if from_weight is None:
                from_weight = (logits.t() @ factor).to(weight.dtype)
            elif dtype == weight.dtype:
                from_weight.addmm_(logits.t(), factor)
            else:
                from_weight += logits.t() @ factor
            if bias is not None:
                column = torch.stack([some.sum(0, dtype=bias.dtype) for some in logits.split(128)]).sum(0)  # few copies
                from_bias = column if from_bias is None else from_bias.add_(column)
        if wanted and from_weight is None:
            from_weight, from_bias = torch.zeros_like(weight), None if bias is None else torch.zeros_like(bias)
        ctx.save_for_backward(from_hidden, from_weight, from_bias)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        if scale.device.type != "cpu" or scale.item() != 1:
            gradients = tuple(None if one is None else one * scale for one in gradients)
        return *gradients, None, None, None, None


def nats_in_place(logits: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor, gradient: bool) -> Tensor:
    """The nats of every row; the logits (without their bias so far) become their own gradient where that is wanted."""
    wide = torch.float64 if logits.dtype == torch.float64 else torch.float32  # what C++ reads beside the logits
    fits = logits.dtype in native.PRECISIONS and weights.dtype == wide and (bias is None or bias.dtype == wide)
    if native.chosen() and logits.device.type == "cpu" and fits:
        return native.softmax(logits, bias, targets, weights, gradient)
    exact = logits if logits.dtype.itemsize >= 4 else logits.float()
    if bias is not None:
        exact = exact + bias
    normal = exact.logsumexp(1)
    nats = normal - exact.gather(1, targets[:, None])[:, 0]
    if gradient:
        exact = (exact - normal[:, None]).exp_()
        exact[torch.arange(len(exact), device=exact.device), targets] -= 1
        logits.copy_(exact * weights[:, None])
    return nats
