"""The simple recurrent layer (Elman 1990, "Finding Structure in Time"), forward and backward by hand.

    a_t = W x_t + U h_{t-1} + b
    h_t = f(a_t)                        f = tanh or relu

Backward, with D_t the gradient of the loss with respect to a_t and G_t what reaches h_t from above:

    D_t = (G_t + U^T D_{t+1}) f'(a_t)   f' = 1 - h_t^2 for tanh, [h_t > 0] for relu; both need only h_t
    dW  = sum_t D_t x_t^T      dU = sum_t D_t h_{t-1}^T      db = sum_t D_t
    dx_t = W^T D_t             dh_0 = U^T D_1

Only U h_{t-1} and U^T D_{t+1} must wait for their neighbour. All else is done for all steps at once: the input products
before the forward loop, f' before the backward loop, the three sums after it.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from glassloom.kernels import builtin, native, sequence
from glassloom.kernels.products import (
    accumulate,
    private,
    product,
    product_dtype,
    project,
    stacked,
    states_from,
    without_autocast,
)

Activation: TypeAlias = Literal["tanh", "relu"]
See: TypeAlias = Callable[[str, Tensor], Tensor]
"""Given the name and value (`batch width`) of one inner value at one step; returns what is used from there on."""

CELLS = {"tanh": native.Cell.RNN_TANH, "relu": native.Cell.RNN_RELU}


def rnn(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "width inputs"] | None,
    recurrent_weight: Float[Tensor, "width width"],
    bias: Float[Tensor, " width"],
    initial: Float[Tensor, "batch width"],
    activation: Activation = "tanh",
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"]]:
    """One recurrent layer over all steps: the hidden vector after each step, and the last one.

    Without an `input_weight` the inputs are projected already. Equals torch.nn.RNN where `bias` is the sum of its two.

    >>> outputs, final = rnn(torch.ones(2, 1, 3), torch.ones(1, 3), torch.ones(1, 1), torch.zeros(1), torch.zeros(1, 1))
    >>> outputs.flatten().tolist() == [torch.tanh(torch.tensor(3.0)).item(), final.item()]
    True
    """
    dtype = sequence.factors_dtype(inputs)
    with without_autocast(inputs):
        if dtype != inputs.dtype or dtype != initial.dtype:
            inputs, initial = inputs.to(bias.dtype), initial.to(bias.dtype)
        if input_weight is not None and builtin.serves("rnn", inputs, initial.shape[-1], dtype):
            return builtin.rnn(inputs, input_weight, recurrent_weight, bias, initial, activation, dtype)
        if torch.is_grad_enabled():
            outputs, final = RNNFunction.apply(inputs, input_weight, recurrent_weight, bias, initial, activation, dtype)
            return outputs, final
        states = run(inputs, input_weight, recurrent_weight, bias, initial, activation, dtype)
        return states[1:], states[-1].clone()


def run(
    inputs: Tensor,
    input_weight: Tensor | None,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    activation: str,
    dtype: torch.dtype,
) -> Tensor:
    """The forward pass: the states from the initial to the last one, `time+1 batch width`."""
    states = states_from(initial, len(inputs))
    if sequence.serves(states, dtype):
        layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, dtype)
        sequence.forward(CELLS[activation], layer, states[1:], states=states)
        return states
    project(inputs, input_weight, bias, dtype, out=states[1:])
    recurrent = recurrent_weight.to(dtype).t()
    add = Tensor.addmm_ if recurrent.dtype == states.dtype else accumulate
    activate = torch.tanh_ if activation == "tanh" else torch.relu_
    hidden, *steps = states.unbind(0)
    for step in steps:
        hidden = activate(add(step, hidden, recurrent))
    return states


def backward_steps(
    states: Tensor, from_outputs: Tensor, incoming: Tensor, activation: str, recurrent: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of the arguments a, `time batch width`, and of the first state."""
    after = states[1:]
    if activation == "tanh":
        slope = torch.addcmul(torch.ones((), dtype=after.dtype, device=after.device), after, after, value=-1)
    else:
        slope = (after > 0).to(after.dtype)
    derivative = from_outputs * slope
    multiply = torch.mm if recurrent.dtype == derivative.dtype else product
    for step, local in zip(reversed(derivative.unbind(0)), reversed(slope.unbind(0)), strict=True):
        incoming = multiply(step.addcmul_(incoming, local), recurrent)
    return derivative, incoming


class RNNFunction(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        input_weight: Tensor | None,
        recurrent_weight: Tensor,
        bias: Tensor,
        initial: Tensor,
        activation: str,
        dtype: torch.dtype,
    ) -> tuple[Tensor, Tensor]:
        states = run(inputs, input_weight, recurrent_weight, bias, initial, activation, dtype)
        ctx.save_for_backward(inputs, input_weight, recurrent_weight, bias, states)
        ctx.activation, ctx.dtype = activation, dtype
        return states[1:], states[-1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, from_outputs: Tensor, from_final: Tensor) -> tuple[Tensor | None, ...]:
        inputs, input_weight, recurrent_weight, bias, states = ctx.saved_tensors
        layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, ctx.dtype)
        cell, wanted = CELLS[ctx.activation], ctx.needs_input_grad[0]
        with without_autocast(states):
            if sequence.serves(states, ctx.dtype):
                derivative, incoming = torch.empty_like(states[1:]), private(from_final)
                found = sequence.backward(cell, layer, wanted, gates=derivative, states=states,
                                          from_outputs=from_outputs.contiguous(), incoming=incoming)  # fmt: skip
            else:
                recurrent = recurrent_weight.to(ctx.dtype)
                derivative, incoming = backward_steps(states, from_outputs, from_final, ctx.activation, recurrent)
                found = sequence.gradients(cell, layer, wanted, derivative, states)
        return *found[:4], incoming, None, None


def rnn_steps(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "width inputs"] | None,
    recurrent_weight: Float[Tensor, "width width"],
    bias: Float[Tensor, " width"],
    initial: Float[Tensor, "batch width"],
    activation: Activation = "tanh",
    *,
    see: See,
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"]]:
    """The same function step by step under autograd; `see` is shown, and may replace, each step's `hidden`."""
    hidden, outputs = initial, []
    for projected in project(inputs, input_weight, bias, product_dtype(inputs)):
        total = projected + hidden @ recurrent_weight.t()
        hidden = see("hidden", total.tanh() if activation == "tanh" else total.relu())
        outputs.append(hidden)
    return stacked(outputs, initial), hidden
