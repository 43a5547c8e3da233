"""A whole sequence by the kernels of where it lies: C++ on a CPU, Triton on CUDA; plain torch where neither serves.

Around the steps stand products of all steps at once: the inputs' before them, the weights' gradients after them. They
are torch's, but for a short sequence in C++, which does all in one call.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.cuda import choosing
from glassloom.kernels.products import input_gradients, product_dtype, project, weight_gradient


class Layer(NamedTuple):
    """What a layer is given beside its first state and a GRU's second bias; its products' factors are of `dtype`."""

    inputs: Tensor
    input_weight: Tensor | None
    recurrent_weight: Tensor
    bias: Tensor
    dtype: torch.dtype


class Gradients(NamedTuple):
    """Those of a layer's inputs (None where not wanted) and weights; the last of a GRU with reset after."""

    inputs: Tensor | None
    input_weight: Tensor | None
    recurrent_weight: Tensor
    bias: Tensor
    recurrent_bias: Tensor | None


def serves(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a sequence of this tensor's kind, with products in `dtype`, is run here."""
    asked_for = choosing.forced() is not None
    return choosing.triton_serves(tensor, dtype) or (not asked_for and native.serves(tensor, dtype))


def factors_dtype(inputs: Tensor) -> torch.dtype:
    """The type that the products' factors are rounded to, as `product_dtype` says.

    A short sequence of one row (`time 1 inputs`) is not rounded where it is run in C++: that would gain no time.
    """
    alone = inputs.shape[1] == 1 and inputs.dtype == torch.float32 and choosing.forced() is None
    if alone and native.is_short(inputs, torch.float32):
        return torch.float32
    return product_dtype(inputs)


def run(cell: native.Cell, layer: Layer, direction: int, **arrays: Tensor) -> None:
    """All steps in one direction; `arrays` are contiguous, named and shaped as in native/job.h."""
    if choosing.triton_serves(arrays["states"], layer.dtype):
        from glassloom.kernels.cuda import sweeps  # imports Triton

        sweeps.run(cell, layer.recurrent_weight, layer.dtype, direction, **arrays)
    else:
        native.run(cell, layer.recurrent_weight, layer.dtype, direction, **arrays)


def is_short(layer: Layer) -> bool:
    """Whether C++ does the products around the steps, too."""
    elsewhere = choosing.triton_serves(layer.inputs, layer.dtype)
    return layer.input_weight is not None and not elsewhere and native.is_short(layer.inputs, layer.dtype)


def forward(cell: native.Cell, layer: Layer, into: Tensor, **arrays: Tensor) -> None:
    """The inputs are projected to where the steps expect it (`into`), and all steps are done."""
    if is_short(layer):
        assert layer.input_weight is not None
        arrays |= {
            "from_below": layer.inputs.contiguous(),
            "input_weight": layer.input_weight.contiguous(),
            "bias": layer.bias.contiguous(),
        }
    else:
        project(layer.inputs, layer.input_weight, layer.bias, layer.dtype, out=into)
    run(cell, layer, native.FORWARD, **arrays)


def backward(cell: native.Cell, layer: Layer, wanted: bool, **arrays: Tensor) -> Gradients:
    """All steps backwards, and the gradients; what else comes out stands in `arrays` (native/job.h).

    `wanted`: whether the inputs' gradient is.
    """
    if not is_short(layer):
        run(cell, layer, native.BACKWARD, **arrays)
        return gradients(cell, layer, wanted, arrays["gates"], arrays["states"], arrays.get("beside"))
    inputs, input_weight, recurrent_weight, bias, _ = layer
    assert input_weight is not None
    inputs, input_weight = inputs.contiguous(), input_weight.contiguous()
    found = Gradients(
        torch.empty_like(inputs) if wanted else None,
        torch.empty_like(input_weight),
        torch.empty_like(recurrent_weight, memory_format=torch.contiguous_format),
        torch.empty_like(bias, memory_format=torch.contiguous_format),
        torch.empty_like(arrays["incoming"][0]) if cell == native.Cell.GRU_RESET_AFTER else None,
    )
    names = "to_below", "to_weight", "to_recurrent", "to_bias", "to_recurrent_bias"
    arrays |= {name: array for name, array in zip(names, found, strict=True) if array is not None}
    run(cell, layer, native.BACKWARD, from_below=inputs, input_weight=input_weight, **arrays)
    return found


def gradients(
    cell: native.Cell, layer: Layer, wanted: bool, derivative: Tensor, states: Tensor, beside: Tensor | None = None
) -> Gradients:
    """The sums over all steps, from the gradients of the gates' arguments (`derivative`).

    Every gate met the state before it, but for a GRU's candidate. `beside` is what that met (reset before), or the
    gradient of its recurrent product (after).
    """
    inputs, input_weight, _, _, dtype = layer
    from_inputs, from_weight, from_bias = input_gradients(derivative, inputs, input_weight, dtype, wanted)
    before, width, recurrent_bias = states[:-1], states.shape[-1], None
    if cell not in (native.Cell.GRU_RESET_BEFORE, native.Cell.GRU_RESET_AFTER):
        recurrent = weight_gradient(derivative, before, dtype)
    else:
        assert beside is not None
        parts = [weight_gradient(derivative[..., : 2 * width], before, dtype)]
        if cell == native.Cell.GRU_RESET_BEFORE:
            parts.append(weight_gradient(derivative[..., 2 * width :], beside, dtype))
        else:
            parts.append(weight_gradient(beside, before, dtype))
            recurrent_bias = beside.sum((0, 1))
        recurrent = torch.cat(parts)
    return Gradients(from_inputs, from_weight, recurrent, from_bias, recurrent_bias)
