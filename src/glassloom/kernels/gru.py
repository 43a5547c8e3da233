"""The gated recurrent unit in its two forms, forward and backward by hand.

Reset before the recurrent product (Cho et al. 2014, "Learning Phrase Representations ...", equations 5 to 8, with the
update gate's meaning of Chung et al. 2014), one bias a gate:

    r = sigma(W_r x + U_r h + b_r)             how much of the past the candidate sees
    z = sigma(W_z x + U_z h + b_z)             how much of the candidate is taken
    n = tanh(W_n x + U_n (r h) + b_n)          the candidate
    h' = (1 - z) h + z n

Reset after it (cuDNN, torch.nn.GRU), where the candidate's recurrent product has its own bias c and z is swapped:

    u = U_n h + c
    n = tanh(W_n x + r u + b_n)
    h' = (1 - z) n + z h                       here z is how much of the past is kept

Backward. Let g = G_t + (what comes back from step t+1) be the gradient of h', and D_q that of the argument of gate q:

    before                                     after
    D_n = g z (1 - n^2)                        D_n = g (1 - z) (1 - n^2)
    D_z = g (n - h) z (1 - z)                  D_z = g (h - n) z (1 - z)
    e   = U_n^T D_n    (gradient of r h)       D_u = D_n r
    D_r = e h r (1 - r)                        D_r = D_n u r (1 - r)
    dh  = g (1 - z) + e r                      dh  = g z + U_n^T D_u
          + U_r^T D_r + U_z^T D_z                    + U_r^T D_r + U_z^T D_z

    dW_q = sum D_q x^T    dU_q = sum D_q h^T (before: dU_n = sum D_n (r h)^T; after: dU_n = sum D_u h^T)
    db_q = sum D_q        dc = sum D_u        dx = sum_q W_q^T D_q

Everything that multiplies g (or e) is local to its step, so it is computed for all steps at once; the loop only passes
g back. The weights are stacked in the order reset, update, candidate, as torch has them.
"""

from collections.abc import Iterator
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
    sigmoid_slope,
    stacked,
    states_from,
    tanh_slope,
    without_autocast,
)
from glassloom.kernels.rnn import See

Reset: TypeAlias = Literal["before", "after"]
CELLS = {"before": native.Cell.GRU_RESET_BEFORE, "after": native.Cell.GRU_RESET_AFTER}


def gru(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "gates inputs"] | None,
    recurrent_weight: Float[Tensor, "gates width"],
    bias: Float[Tensor, " gates"],
    initial: Float[Tensor, "batch width"],
    reset: Reset = "before",
    recurrent_bias: Float[Tensor, " width"] | None = None,
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"]]:
    """One GRU layer over all steps: the hidden vector after each step, and the last one.

    Without an `input_weight` the inputs are projected already. `recurrent_bias` is the c of the form with reset "after"
    (zero where None). Equals torch.nn.GRU where `bias` is bias_ih + bias_hh for reset and update, bias_ih for the
    candidate, and `recurrent_bias` is bias_hh's last third.

    >>> zeros = torch.zeros
    >>> outputs, final = gru(zeros(4, 2, 3), zeros(15, 3), zeros(15, 5), zeros(15), torch.ones(2, 5))
    >>> outputs.shape, final[0, 0].item()          # all gates half open on a candidate of zero: 1/2 to the fourth
    (torch.Size([4, 2, 5]), 0.0625)
    """
    dtype = sequence.factors_dtype(inputs)
    if reset == "after" and recurrent_bias is None:
        recurrent_bias = bias.new_zeros(initial.shape[-1])
    with without_autocast(inputs):
        if dtype != inputs.dtype or dtype != initial.dtype:
            inputs, initial = inputs.to(bias.dtype), initial.to(bias.dtype)
        agrees = reset == "after" and builtin.serves("gru after", inputs, initial.shape[-1], dtype)
        if agrees and input_weight is not None and recurrent_bias is not None:
            return builtin.gru(inputs, input_weight, recurrent_weight, bias, initial, recurrent_bias, dtype)
        arguments = inputs, input_weight, recurrent_weight, bias, initial, reset, recurrent_bias, dtype
        if torch.is_grad_enabled():
            outputs, final = GRUFunction.apply(*arguments)
            return outputs, final
        states = run(*arguments)[0]
        return states[1:], states[-1].clone()


def run(
    inputs: Tensor,
    input_weight: Tensor | None,
    recurrent_weight: Tensor,
    bias: Tensor,
    initial: Tensor,
    reset: Reset,
    recurrent_bias: Tensor | None,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor, Tensor]:
    """The forward pass: states `time+1 batch width`, gates `time batch gates`, and what stands beside them.

    That is, `time batch width`, with reset before: r h; after: u, the candidate's recurrent product.
    """
    gates = inputs.new_empty(*inputs.shape[:2], len(recurrent_weight))
    states = states_from(initial, len(inputs))
    beside = torch.empty_like(states[1:])
    if sequence.serves(gates, dtype):
        layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, dtype)
        more = {} if recurrent_bias is None else {"recurrent_bias": recurrent_bias.contiguous()}
        sequence.forward(CELLS[reset], layer, gates, gates=gates, states=states, beside=beside, **more)
    else:
        project(inputs, input_weight, bias, dtype, out=gates)
        recurrent = recurrent_weight.to(dtype).t()
        if recurrent_bias is None:
            forward_before(gates, states, beside, recurrent)
        else:
            forward_after(gates, states, beside, recurrent, recurrent_bias)
    return states, gates, beside


def forward_before(gates: Tensor, states: Tensor, product_of_reset: Tensor, recurrent: Tensor) -> None:
    """Every gate's argument becomes its value, step by step; the states and r h are filled in."""
    width = states.shape[-1]
    to_gates, to_candidate = recurrent.split([2 * width, width], 1)
    hidden, *rest = states.unbind(0)
    both, reset, update, candidate = gates_by_step(gates, width)
    for t, after in enumerate(rest):
        accumulate(both[t], hidden, to_gates).sigmoid_()
        accumulate(candidate[t], torch.mul(reset[t], hidden, out=product_of_reset[t]), to_candidate).tanh_()
        hidden = torch.lerp(hidden, candidate[t], update[t], out=after)


def forward_after(
    gates: Tensor, states: Tensor, candidates_product: Tensor, recurrent: Tensor, recurrent_bias: Tensor
) -> None:
    """Every gate's argument becomes its value, step by step; the states and u are filled in."""
    width = states.shape[-1]
    to_gates, to_candidate = recurrent.split([2 * width, width], 1)
    candidates_product.copy_(recurrent_bias.expand_as(candidates_product))
    hidden, *rest = states.unbind(0)
    both, reset, update, candidate = gates_by_step(gates, width)
    for t, after in enumerate(rest):
        accumulate(both[t], hidden, to_gates).sigmoid_()
        candidate[t].addcmul_(reset[t], accumulate(candidates_product[t], hidden, to_candidate)).tanh_()
        hidden = torch.lerp(candidate[t], hidden, update[t], out=after)


def gates_by_step(gates: Tensor, width: int) -> Iterator[tuple[Tensor, ...]]:
    """Views of `time batch gates` as one tensor a step: reset and update together, reset, update, candidate."""
    parts = slice(0, 2 * width), slice(0, width), slice(width, 2 * width), slice(2 * width, None)
    return (gates[..., part].unbind(0) for part in parts)


def backward_before(
    gates: Tensor, states: Tensor, from_outputs: Tensor, incoming: Tensor, recurrent: Tensor
) -> tuple[Tensor, Tensor]:
    """The left column of this file's head: the gradients of the gates' arguments, and of the first state."""
    width, before = states.shape[-1], states[:-1]
    reset, update, candidate = gates.split(width, -1)
    reset_steps, kept_steps = reset.unbind(0), (1 - update).unbind(0)
    derivative = torch.empty_like(gates)  # at first the local factors, in the loop times g or e
    sigmoid_slope(before, reset, out=derivative[..., :width])
    sigmoid_slope(candidate - before, update, out=derivative[..., width : 2 * width])
    tanh_slope(update, candidate, out=derivative[..., 2 * width :])
    to_gates, to_candidate = recurrent.split([2 * width, width])
    from_reset = derivative[..., :width].unbind(0)
    from_gates, from_candidate = (part.unbind(0) for part in derivative.split([2 * width, width], -1))
    times_incoming = derivative.unflatten(-1, (3, width))[..., 1:, :].unbind(0)
    for t in reversed(range(len(gates))):
        incoming = incoming + from_outputs[t]
        times_incoming[t].mul_(incoming.unsqueeze(1))
        through_reset = product(from_candidate[t], to_candidate)
        from_reset[t].mul_(through_reset)
        incoming.mul_(kept_steps[t]).addcmul_(through_reset, reset_steps[t])
        accumulate(incoming, from_gates[t], to_gates)
    return derivative, incoming


def backward_after(
    gates: Tensor, states: Tensor, from_outputs: Tensor, incoming: Tensor, recurrent: Tensor, beside: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The right column of this file's head: the gradients of the gates' arguments, of u, and of the first state."""
    width = states.shape[-1]
    reset, update, candidate = gates.split(width, -1)
    update_steps = update.unbind(0)
    # In the order u, r, z, n: the first three meet the recurrent weights, the last three the input weights.
    derivative = gates.new_empty(*beside.shape[:2], 4 * width)
    local = derivative.split(width, -1)
    tanh_slope(1 - update, candidate, out=local[3])
    sigmoid_slope(states[:-1] - candidate, update, out=local[2])
    sigmoid_slope(local[3] * beside, reset, out=local[1])
    torch.mul(local[3], reset, out=local[0])
    gates_to_states = recurrent.roll(width, 0)
    times_incoming = derivative.unflatten(-1, (4, width)).unbind(0)
    recurrent_steps = derivative[..., : 3 * width].unbind(0)
    for t in reversed(range(len(gates))):
        incoming = incoming + from_outputs[t]
        times_incoming[t].mul_(incoming.unsqueeze(1))
        accumulate(incoming.mul_(update_steps[t]), recurrent_steps[t], gates_to_states)
    return derivative[..., width:], local[0], incoming


class GRUFunction(torch.autograd.Function):
    """The equations of this file's head."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> tuple[Tensor, Tensor]:
        inputs, input_weight, recurrent_weight, bias, _, ctx.reset, recurrent_bias, ctx.dtype = arguments
        ctx.overwritten = False
        kept = run(*arguments)
        ctx.save_for_backward(inputs, input_weight, recurrent_weight, bias, recurrent_bias, *kept)
        states, _, _ = kept
        return states[1:], states[-1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, from_outputs: Tensor, from_final: Tensor) -> tuple[Tensor | None, ...]:
        inputs, input_weight, recurrent_weight, bias, recurrent_bias, states, gates, beside = ctx.saved_tensors
        with without_autocast(states):
            if ctx.overwritten:  # a second backward pass over the same forward pass
                again = inputs, input_weight, recurrent_weight, bias, states[0], ctx.reset, recurrent_bias, ctx.dtype
                states, gates, beside = run(*again)
            ctx.overwritten = sequence.serves(gates, ctx.dtype)
            layer = sequence.Layer(inputs, input_weight, recurrent_weight, bias, ctx.dtype)
            cell, wanted = CELLS[ctx.reset], ctx.needs_input_grad[0]
            if ctx.overwritten:
                incoming = private(from_final)
                found = sequence.backward(cell, layer, wanted, gates=gates, states=states, beside=beside,
                                          from_outputs=from_outputs.contiguous(), incoming=incoming,
                                          cell_incoming=torch.empty_like(incoming))  # fmt: skip
            else:
                known = gates, states, from_outputs, from_final, recurrent_weight.to(ctx.dtype)
                if ctx.reset == "after":
                    derivative, beside, incoming = backward_after(*known, beside)
                else:
                    derivative, incoming = backward_before(*known)
                found = sequence.gradients(cell, layer, wanted, derivative, states, beside)
        return *found[:4], incoming, None, found.recurrent_bias, None


def gru_steps(
    inputs: Float[Tensor, "time batch inputs"],
    input_weight: Float[Tensor, "gates inputs"] | None,
    recurrent_weight: Float[Tensor, "gates width"],
    bias: Float[Tensor, " gates"],
    initial: Float[Tensor, "batch width"],
    reset: Reset = "before",
    recurrent_bias: Float[Tensor, " width"] | None = None,
    *,
    see: See,
) -> tuple[Float[Tensor, "time batch width"], Float[Tensor, "batch width"]]:
    """The same function step by step under autograd; `see` is shown, and may replace, each step's values.

    They are `gate.reset`, `gate.update`, `candidate` and `hidden`.
    """
    width = initial.shape[-1]
    to_gates, to_candidate = recurrent_weight.t().split([2 * width, width], 1)
    hidden, outputs = initial, []
    for projected in project(inputs, input_weight, bias, product_dtype(inputs)):
        gates = (projected[:, : 2 * width] + hidden @ to_gates).sigmoid()
        opened, update = see("gate.reset", gates[:, :width]), see("gate.update", gates[:, width:])
        if reset == "before":
            recurrent = (opened * hidden) @ to_candidate
        else:
            recurrent = hidden @ to_candidate
            recurrent = opened * (recurrent if recurrent_bias is None else recurrent + recurrent_bias)
        candidate = see("candidate", (projected[:, 2 * width :] + recurrent).tanh())
        taken = update if reset == "before" else 1 - update
        hidden = see("hidden", (1 - taken) * hidden + taken * candidate)
        outputs.append(hidden)
    return stacked(outputs, initial), hidden
