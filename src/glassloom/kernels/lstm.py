"""Long short-term memory (Hochreiter and Schmidhuber 1997; forget gate: Gers et al. 2000), backward by hand.

    i = sigma(W_i x + U_i h + b_i)      what enters the cell
    f = sigma(W_f x + U_f h + b_f)      what stays in it
    n = tanh (W_n x + U_n h + b_n)      the candidate
    o = sigma(W_o x + U_o h + b_o)      what is shown of it
    c' = f c + i n
    h' = o tanh(c')

Backward. Let g be the gradient of h' (from above, and from step t+1), k that of c' (from step t+1), D_q that of the
argument of gate q:

    D_o = g tanh(c') o (1 - o)
    k  += g o (1 - tanh(c')^2)
    D_i = k n i (1 - i)     D_f = k c f (1 - f)     D_n = k i (1 - n^2)
    dh  = sum_q U_q^T D_q   dc  = k f
    dW_q = sum D_q x^T      dU_q = sum D_q h^T      db_q = sum D_q      dx = sum_q W_q^T D_q

The factors of g and k are computed for all steps at once; the loop only passes g and k back. The weights are stacked in
the order input, forget, candidate, output, as torch has them.
"""

from typing import Any

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
    sigmoid_slope,
    stacked,
    states_from,
    tanh_slope,
    without_autocast,
)
from glassloom.kernels.rnn import See


def lstm(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "gates inputs"] | None,
    recurrent_weight: Float[Tensor, "gates width"],
    bias: Float[Tensor, " gates"],
    initial: Float[Tensor, "batch width"],
    initial_cell: Float[Tensor, "batch width"],
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"], Float[Tensor, "batch width"]]:
    """One LSTM layer over all steps: the hidden vector after each step, the last one, and the last cell.

    Without an `input_weight` the inputs are projected already. Equals torch.nn.LSTM where `bias` is the sum of its two.

    >>> zeros, weights = torch.zeros, (torch.zeros(20, 4), torch.zeros(20, 5), torch.zeros(20))
    >>> outputs, hidden, cell = lstm(zeros(3, 2, 4), *weights, zeros(2, 5), torch.ones(2, 5))
    >>> outputs.shape, cell[0, 0].item()           # the forget gate half open, three times
    (torch.Size([3, 2, 5]), 0.125)
    """
    dtype = sequence.factors_dtype(inputs)
    with without_autocast(inputs):
        if dtype != inputs.dtype or dtype != initial.dtype:
            inputs, initial, initial_cell = (part.to(bias.dtype) for part in (inputs, initial, initial_cell))
        if input_weight is not None and builtin.serves("lstm", inputs, initial.shape[-1], dtype):
            return builtin.lstm(inputs, input_weight, recurrent_weight, bias, initial, initial_cell, dtype)
        arguments = inputs, input_weight, recurrent_weight, bias, initial, initial_cell, dtype
        if torch.is_grad_enabled():
            outputs, hidden, cell = LSTMFunction.apply(*arguments)
            return outputs, hidden, cell
        states, cells, _, _ = run(*arguments)
        return states[1:], states[-1].clone(), cells[-1].clone()


def run(
    inputs: Tensor,
    input_weight: Tensor | None,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    initial_cell: Tensor,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The forward pass: states and cells (`time+1 batch width`), tanh(c') and the gates (`time batch gates`)."""
    gates = inputs.new_empty(*inputs.shape[:2], len(recurrent_weight))
    states, cells = states_from(initial, len(inputs)), states_from(initial_cell, len(inputs))
    shown = torch.empty_like(states[1:])
    if sequence.serves(gates, dtype):
        layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, dtype)
        sequence.forward(native.Cell.LSTM, layer, gates, gates=gates, states=states, cells=cells, beside=shown)
    else:
        project(inputs, input_weight, bias, dtype, out=gates)
        forward_steps(gates, states, cells, shown, recurrent_weight.to(dtype).t())
    return states, cells, shown, gates


def forward_steps(gates: Tensor, states: Tensor, cells: Tensor, shown: Tensor, recurrent: Tensor) -> None:
    """Every gate's argument becomes its value, step by step; the states, cells and tanh(c') are filled in."""
    width = states.shape[-1]
    enter_and_forget = gates[..., : 2 * width].unbind(0)
    enter, forget, candidate, output = (part.unbind(0) for part in gates.split(width, -1))
    hidden, cell = states[0], cells[0]
    for t, (total, hidden_after, cell_after, shown_after) in enumerate(
        zip(gates.unbind(0), states[1:].unbind(0), cells[1:].unbind(0), shown.unbind(0), strict=True)
    ):
        accumulate(total, hidden, recurrent)
        enter_and_forget[t].sigmoid_()
        candidate[t].tanh_()
        output[t].sigmoid_()
        cell = torch.mul(forget[t], cell, out=cell_after).addcmul_(enter[t], candidate[t])
        hidden = torch.mul(output[t], torch.tanh(cell, out=shown_after), out=hidden_after)


def backward_steps(
    gates: Tensor, cells: Tensor, shown: Tensor, from_outputs: Tensor, incoming: Tensor, cell: Tensor, recurrent: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of the gates' arguments, of the first state and of the first cell."""
    width = shown.shape[-1]
    enter, forget, candidate, output = gates.split(width, -1)
    derivative = torch.empty_like(gates)  # at first the local factors, in the loop times k or g
    of_enter, of_forget, of_candidate, of_output = derivative.split(width, -1)
    sigmoid_slope(candidate, enter, out=of_enter)
    sigmoid_slope(cells[:-1], forget, out=of_forget)
    tanh_slope(enter, candidate, out=of_candidate)
    sigmoid_slope(shown, output, out=of_output)
    hidden_to_cell = torch.empty_like(shown)
    tanh_slope(output, shown, out=hidden_to_cell)
    times_cell = derivative.unflatten(-1, (4, width))[..., :3, :].unbind(0)
    times_hidden, steps = of_output.unbind(0), derivative.unbind(0)
    into_cell, kept = hidden_to_cell.unbind(0), forget.unbind(0)
    cell = cell.clone()
    for t in reversed(range(len(gates))):
        incoming = incoming + from_outputs[t]
        times_hidden[t].mul_(incoming)
        cell.addcmul_(incoming, into_cell[t])
        times_cell[t].mul_(cell.unsqueeze(1))
        cell.mul_(kept[t])
        incoming = product(steps[t], recurrent)
    return derivative, incoming, cell


class LSTMFunction(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        inputs, input_weight, recurrent_weight, bias, _, _, ctx.dtype = arguments
        ctx.overwritten = False
        kept = run(*arguments)
        ctx.save_for_backward(inputs, input_weight, recurrent_weight, bias, *kept)
        states, cells, _, _ = kept
        return states[1:], states[-1].clone(), cells[-1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, from_outputs: Tensor, from_hidden: Tensor, from_cell: Tensor) -> tuple[Tensor | None, ...]:
        inputs, input_weight, recurrent_weight, bias, states, cells, shown, gates = ctx.saved_tensors
        with without_autocast(states):
            if ctx.overwritten:  # a second backward pass over the same forward pass
                first = states[0], cells[0]
                states, cells, shown, gates = run(inputs, input_weight, recurrent_weight, bias, *first, ctx.dtype)
            ctx.overwritten = sequence.serves(gates, ctx.dtype)
            layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, ctx.dtype)
            wanted = ctx.needs_input_grad[0]
            if ctx.overwritten:
                incoming, cell = private(from_hidden), private(from_cell)
                found = sequence.backward(native.Cell.LSTM, layer, wanted, gates=gates, states=states, cells=cells,
                                          beside=shown, from_outputs=from_outputs.contiguous(), incoming=incoming,
                                          cell_incoming=cell)  # fmt: skip
            else:
                derivative, incoming, cell = backward_steps(
                    gates, cells, shown, from_outputs, from_hidden, from_cell, recurrent_weight.to(ctx.dtype)
                )
                found = sequence.gradients(native.Cell.LSTM, layer, wanted, derivative, states)
        return *found[:4], incoming, cell, None


def lstm_steps(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "gates inputs"] | None,
    recurrent_weight: Float[Tensor, "gates width"],
    bias: Float[Tensor, " gates"],
    initial: Float[Tensor, "batch width"],
    initial_cell: Float[Tensor, "batch width"],
    *,
    see: See,
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"], Float[Tensor, "batch width"]]:
    """The same function step by step under autograd; `see` is shown, and may replace, each step's values.

    They are `gate.input`, `gate.forget`, `candidate`, `gate.output`, `cell` and `hidden`.
    """
    hidden, cell, outputs = initial, initial_cell, []
    for projected in project(inputs, input_weight, bias, product_dtype(inputs)):
        total = projected + hidden @ recurrent_weight.t()
        enter, forget, candidate, output = total.chunk(4, 1)
        enter, forget = see("gate.input", enter.sigmoid()), see("gate.forget", forget.sigmoid())
        candidate, output = see("candidate", candidate.tanh()), see("gate.output", output.sigmoid())
        cell = see("cell", forget * cell + enter * candidate)
        hidden = see("hidden", output * cell.tanh())
        outputs.append(hidden)
    return stacked(outputs, initial), hidden, cell
