# mypy: disable-error-code="no-untyped-def"
"""The gated recurrent unit in its two forms in Triton; the equations are those of `glassloom.kernels.gru`.

With reset before the product, a step has two products one after the other, forward as backward, and the programs meet
twice. Not yet run on a GPU.
"""

from typing import no_type_check

import triton
import triton.language as tl

from glassloom.kernels.cuda.parts import meet, product, sigmoid, tanh, weight_tile


@triton.jit
@no_type_check
def forward_before(
    gates, states, beside, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Every gate's argument becomes its value; the states and r h, `beside`, are filled in."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (3 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_r = weight_tile(weight, 0, units, inner, width, False) if HELD else None
    held_z = weight_tile(weight, 1, units, inner, width, False) if HELD else None
    held_n = weight_tile(weight, 2, units, inner, width, False) if HELD else None
    hidden = tl.load(states + own, mask=inside, other=0.0)
    for _ in range(steps):
        update = tl.load(gates + gate + width, mask=inside, other=0.0)
        if STAGES & 1:
            reset = tl.load(gates + gate, mask=inside, other=0.0)
            reset = product(reset, states, width, rows, batch, weight, 0, units, width, held_r, False, HELD, INNER)
            update = product(update, states, width, rows, batch, weight, 1, units, width, held_z, False, HELD, INNER)
            reset, update = sigmoid(reset), sigmoid(update)
            tl.store(gates + gate, reset, mask=inside)
            tl.store(gates + gate + width, update, mask=inside)
            tl.store(beside + own, reset * hidden, mask=inside)
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        if STAGES & 2:
            total = tl.load(gates + gate + 2 * width, mask=inside, other=0.0)
            total = product(total, beside, width, rows, batch, weight, 2, units, width, held_n, False, HELD, INNER)
            candidate = tanh(total)
            hidden += update * (candidate - hidden)
            tl.store(gates + gate + 2 * width, candidate, mask=inside)
            tl.store(states + batch * width + own, hidden, mask=inside)
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        gates += batch * width * 3
        states += batch * width
        beside += batch * width


@triton.jit
@no_type_check
def forward_after(
    gates, states, beside, recurrent_bias, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Every gate's argument becomes its value; the states and u, `beside`, are filled in."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (3 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_r = weight_tile(weight, 0, units, inner, width, False) if HELD else None
    held_z = weight_tile(weight, 1, units, inner, width, False) if HELD else None
    held_u = weight_tile(weight, 2, units, inner, width, False) if HELD else None
    bias = tl.load(recurrent_bias + units, mask=units < width, other=0.0)
    hidden = tl.load(states + own, mask=inside, other=0.0)
    for _ in range(steps):
        reset = tl.load(gates + gate, mask=inside, other=0.0)
        update = tl.load(gates + gate + width, mask=inside, other=0.0)
        through = tl.zeros([ROWS, UNITS], tl.float32) + bias[None, :]
        reset = product(reset, states, width, rows, batch, weight, 0, units, width, held_r, False, HELD, INNER)
        update = product(update, states, width, rows, batch, weight, 1, units, width, held_z, False, HELD, INNER)
        through = product(through, states, width, rows, batch, weight, 2, units, width, held_u, False, HELD, INNER)
        reset, update = sigmoid(reset), sigmoid(update)
        candidate = tanh(tl.load(gates + gate + 2 * width, mask=inside, other=0.0) + reset * through)
        hidden = candidate + update * (hidden - candidate)
        tl.store(gates + gate, reset, mask=inside)
        tl.store(gates + gate + width, update, mask=inside)
        tl.store(gates + gate + 2 * width, candidate, mask=inside)
        tl.store(beside + own, through, mask=inside)
        states += batch * width
        tl.store(states + own, hidden, mask=inside)
        meet(counter, goal, TOGETHER)
        goal += tl.num_programs(1)
        gates += batch * width * 3
        beside += batch * width


@triton.jit
@no_type_check
def backward_before(
    gates, states, from_outputs, incoming, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """From the last step, where the pointers stand (`states`: before it), each gate becomes its argument's gradient."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (3 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_r = weight_tile(weight, 0, units, inner, width, True) if HELD else None
    held_z = weight_tile(weight, 1, units, inner, width, True) if HELD else None
    held_n = weight_tile(weight, 2, units, inner, width, True) if HELD else None
    gradient = tl.load(incoming + own, mask=inside, other=0.0)
    for _ in range(steps):
        hidden = tl.load(states + own, mask=inside, other=0.0)
        if STAGES & 1:
            update = tl.load(gates + gate + width, mask=inside, other=0.0)
            candidate = tl.load(gates + gate + 2 * width, mask=inside, other=0.0)
            gradient += tl.load(from_outputs + own, mask=inside, other=0.0)
            of_candidate = gradient * update * (1.0 - candidate * candidate)
            of_update = gradient * (candidate - hidden) * update * (1.0 - update)
            tl.store(gates + gate + width, of_update, mask=inside)
            tl.store(gates + gate + 2 * width, of_candidate, mask=inside)
            gradient *= 1.0 - update
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        at, wide = gates + 2 * width, 3 * width
        if STAGES & 2:
            reset = tl.load(gates + gate, mask=inside, other=0.0)
            through = tl.zeros([ROWS, UNITS], tl.float32)
            through = product(through, at, wide, rows, batch, weight, 2, units, width, held_n, True, HELD, INNER)
            tl.store(gates + gate, through * hidden * reset * (1.0 - reset), mask=inside)
            gradient += through * reset
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        if STAGES & 4:
            at = gates
            gradient = product(gradient, at, wide, rows, batch, weight, 0, units, width, held_r, True, HELD, INNER)
            at += width
            gradient = product(gradient, at, wide, rows, batch, weight, 1, units, width, held_z, True, HELD, INNER)
        gates -= batch * width * 3
        states -= batch * width
        from_outputs -= batch * width
    tl.store(incoming + own, gradient, mask=inside)


@triton.jit
@no_type_check
def backward_after(
    gates, states, beside, from_outputs, incoming, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """From the last step, where the pointers stand (`states`: before it), each gate and u become their gradients."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (3 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_r = weight_tile(weight, 0, units, inner, width, True) if HELD else None
    held_z = weight_tile(weight, 1, units, inner, width, True) if HELD else None
    held_u = weight_tile(weight, 2, units, inner, width, True) if HELD else None
    gradient = tl.load(incoming + own, mask=inside, other=0.0)
    for _ in range(steps):
        if STAGES & 1:
            reset = tl.load(gates + gate, mask=inside, other=0.0)
            update = tl.load(gates + gate + width, mask=inside, other=0.0)
            candidate = tl.load(gates + gate + 2 * width, mask=inside, other=0.0)
            hidden = tl.load(states + own, mask=inside, other=0.0)
            through = tl.load(beside + own, mask=inside, other=0.0)
            gradient += tl.load(from_outputs + own, mask=inside, other=0.0)
            of_candidate = gradient * (1.0 - update) * (1.0 - candidate * candidate)
            tl.store(gates + gate, of_candidate * through * reset * (1.0 - reset), mask=inside)
            tl.store(gates + gate + width, gradient * (hidden - candidate) * update * (1.0 - update), mask=inside)
            tl.store(gates + gate + 2 * width, of_candidate, mask=inside)
            tl.store(beside + own, of_candidate * reset, mask=inside)
            gradient *= update
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        if STAGES & 2:
            at, wide = gates, 3 * width
            gradient = product(gradient, at, wide, rows, batch, weight, 0, units, width, held_r, True, HELD, INNER)
            at += width
            gradient = product(gradient, at, wide, rows, batch, weight, 1, units, width, held_z, True, HELD, INNER)
            gradient = product(gradient, beside, width, rows, batch, weight, 2, units, width, held_u, True, HELD, INNER)
        gates -= batch * width * 3
        states -= batch * width
        beside -= batch * width
        from_outputs -= batch * width
    tl.store(incoming + own, gradient, mask=inside)
