"""What the recurrent kernels share: their matrix products, the precision of these, their states, and two slopes.

Outside autocast everything has the tensors' own type. Under autocast the factors of the products are rounded (to
bfloat16), while sums over gates, the gates themselves and the carried states stay in float32.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from glassloom.kernels import native


def product_dtype(inputs: Tensor) -> torch.dtype:
    """The type that factors are rounded to: autocast's where it is on, else the inputs' own (float64 always)."""
    device = inputs.device.type
    if inputs.dtype != torch.float64 and torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return inputs.dtype


def without_autocast(tensor: Tensor) -> AbstractContextManager[object]:
    """Inside a kernel every cast is explicit."""
    device = tensor.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()


def product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right; where `right` was rounded, `left` is too, and the result comes back in left's type."""
    if left.dtype == right.dtype:
        return left @ right
    return (left.to(right.dtype) @ right).to(left.dtype)


def accumulate(total: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """total += left @ right, in place and in total's type."""
    if left.dtype == right.dtype:
        return total.addmm_(left, right)
    return total.add_(left.to(right.dtype) @ right)


def project(
    inputs: Tensor, weight: Tensor | None, bias: Tensor, dtype: torch.dtype, out: Tensor | None = None
) -> Tensor:
    """Every step's input product and bias at once: `time batch inputs` -> `time batch gates`, into `out` if given.

    Without a weight the inputs are projected already (a table that was looked up), and only the bias is added.
    """
    if weight is None:
        return torch.add(inputs, bias, out=out)
    flat = inputs.flatten(0, 1)
    place = None if out is None else out.flatten(0, 1)
    if dtype == inputs.dtype:
        gates = torch.addmm(bias, flat, weight.t(), out=place)
    elif native.serves(inputs, dtype):
        gates = native.rounded_product(flat, weight.t(), bias, place)
    else:
        gates = torch.add(product(flat, weight.to(dtype).t()), bias, out=place)
    return gates.view(*inputs.shape[:2], weight.shape[0])


def states_from(initial: Tensor, steps: int) -> Tensor:
    """Room for the state before the first step and after each, `time+1 batch width`; only the first is filled."""
    states = initial.new_empty(steps + 1, *initial.shape)
    states[0] = initial
    return states


def private(tensor: Tensor) -> Tensor:
    """A copy, row by row, that may be overwritten."""
    return tensor.clone(memory_format=torch.contiguous_format)


def stacked(steps: Sequence[Tensor], initial: Tensor) -> Tensor:
    """What a loop gave step by step as one tensor, `time batch width`, also where there was no step."""
    return torch.stack(list(steps)) if steps else initial.new_zeros(0, *initial.shape)


def input_gradients(
    derivative: Tensor, inputs: Tensor, weight: Tensor | None, dtype: torch.dtype, wanted: bool
) -> tuple[Tensor | None, Tensor | None, Tensor]:
    """Gradients of the inputs (where wanted), the input weight and the bias, from those of all steps' gates.

    With a = x W^T + b: dx = da W, dW = sum over steps and rows of da^T x, db = sum of da.
    """
    flat = derivative.flatten(0, 1)
    bias_gradient = flat.sum(0)
    if weight is None:
        return derivative if wanted else None, None, bias_gradient
    inputs_gradient = None
    if wanted and dtype != inputs.dtype and native.serves(flat, dtype):
        inputs_gradient = native.rounded_product(flat, weight).view_as(inputs)
    elif wanted:
        inputs_gradient = product(flat.to(dtype), weight.to(dtype)).to(inputs.dtype).view_as(inputs)
    return inputs_gradient, weight_gradient(derivative, inputs, dtype), bias_gradient


def weight_gradient(derivative: Tensor, inputs: Tensor, dtype: torch.dtype) -> Tensor:
    """The gradient of a weight that met `inputs` (... inputs) and received `derivative` (... gates): one product."""
    left = derivative.reshape(-1, derivative.shape[-1]).to(dtype)
    right = inputs.reshape(-1, inputs.shape[-1])
    return (left.t() @ right.to(dtype)).to(inputs.dtype)


def sigmoid_slope(gradient: Tensor, value: Tensor, out: Tensor) -> None:
    """gradient * value * (1 - value): back through a sigmoid whose value is known."""
    torch.ops.aten.sigmoid_backward.grad_input(gradient, value, grad_input=out)


def tanh_slope(gradient: Tensor, value: Tensor, out: Tensor) -> None:
    """gradient * (1 - value^2): back through a tanh whose value is known."""
    torch.ops.aten.tanh_backward.grad_input(gradient, value, grad_input=out)
