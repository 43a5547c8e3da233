"""Weights mended before the first step: recurrent ones made orthogonal, matrices and outputs made small."""

import torch
from torch import Tensor, nn

from glassloom.doctor.steps import Loop

SMALL = 0.5
"""What matrices are brought down to: a root mean square of so much over the square root of their last axis."""
Pair = tuple[Tensor, Tensor]


def recurrent(model: nn.Module) -> list[Tensor]:
    """torch's own recurrent matrices (gates by width, width); without any, every square matrix."""
    layers = [layer for layer in model.modules() if isinstance(layer, (nn.RNNBase, nn.RNNCellBase))]
    found: list[Tensor] = []
    for layer in layers:
        found += [value for name, value in layer.named_parameters() if name.startswith("weight_hh")]
    return found or [value for value in model.parameters() if value.ndim == 2 and value.shape[0] == value.shape[1]]


def orthogonal(loop: Loop, batch: Pair) -> None:
    """Make the recurrent matrices orthogonal, gate by gate; raises LookupError where there are none."""
    found = recurrent(loop.model)
    if not found:
        raise LookupError("the model has no recurrent matrix")
    with torch.no_grad():
        for value in found:
            for gate in value.split(value.shape[1]):
                nn.init.orthogonal_(gate)


def small_matrices(loop: Loop, batch: Pair) -> None:
    """Bring every matrix down."""
    for value in loop.model.parameters():
        if value.ndim >= 2:
            shrink(value)


def small_output(loop: Loop, batch: Pair) -> None:
    """Bring the matrices of the vocabulary down, the embedding among them: it may be the output."""
    for value in loop.model.parameters():
        if value.ndim == 2 and loop.opened.width in value.shape:
            shrink(value)


def shrink(value: Tensor) -> None:
    """Scale a tensor down to a root mean square of SMALL / sqrt(last axis), if its own is larger."""
    wanted = SMALL / value.shape[-1] ** 0.5
    with torch.no_grad():
        size = value.pow(2).mean().sqrt()
        if size > wanted:
            value.mul_(wanted / size)
