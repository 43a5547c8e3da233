# mypy: disable-error-code="no-untyped-def"
"""Long short-term memory in Triton; the equations are those of `glassloom.kernels.lstm`.

Not yet run on a GPU.
"""

from typing import no_type_check

import triton
import triton.language as tl

from glassloom.kernels.cuda.parts import meet, product, sigmoid, tanh, weight_tile


@triton.jit
@no_type_check
def forward(
    gates, states, cells, beside, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Every gate's argument becomes its value; states, cells and tanh(cell), `beside`, are filled in."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (4 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_i = weight_tile(weight, 0, units, inner, width, False) if HELD else None
    held_f = weight_tile(weight, 1, units, inner, width, False) if HELD else None
    held_n = weight_tile(weight, 2, units, inner, width, False) if HELD else None
    held_o = weight_tile(weight, 3, units, inner, width, False) if HELD else None
    cell = tl.load(cells + own, mask=inside, other=0.0)
    for _ in range(steps):
        enter = tl.load(gates + gate, mask=inside, other=0.0)
        forget = tl.load(gates + gate + width, mask=inside, other=0.0)
        candidate = tl.load(gates + gate + 2 * width, mask=inside, other=0.0)
        output = tl.load(gates + gate + 3 * width, mask=inside, other=0.0)
        enter = product(enter, states, width, rows, batch, weight, 0, units, width, held_i, False, HELD, INNER)
        forget = product(forget, states, width, rows, batch, weight, 1, units, width, held_f, False, HELD, INNER)
        candidate = product(candidate, states, width, rows, batch, weight, 2, units, width, held_n, False, HELD, INNER)
        output = product(output, states, width, rows, batch, weight, 3, units, width, held_o, False, HELD, INNER)
        enter, forget, candidate, output = sigmoid(enter), sigmoid(forget), tanh(candidate), sigmoid(output)
        cell = forget * cell + enter * candidate
        shown = tanh(cell)
        states += batch * width
        cells += batch * width
        tl.store(gates + gate, enter, mask=inside)
        tl.store(gates + gate + width, forget, mask=inside)
        tl.store(gates + gate + 2 * width, candidate, mask=inside)
        tl.store(gates + gate + 3 * width, output, mask=inside)
        tl.store(beside + own, shown, mask=inside)
        tl.store(cells + own, cell, mask=inside)
        tl.store(states + own, output * shown, mask=inside)
        meet(counter, goal, TOGETHER)
        goal += tl.num_programs(1)
        gates += batch * width * 4
        beside += batch * width


@triton.jit
@no_type_check
def backward(
    gates, cells, beside, from_outputs, incoming, cell_incoming, weight, counter, steps, batch, width,
    TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """From the last step, where the pointers stand (`cells`: before it), each gate becomes its argument's gradient."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    gate = rows[:, None] * (4 * width) + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    inner = tl.arange(0, INNER)
    held_i = weight_tile(weight, 0, units, inner, width, True) if HELD else None
    held_f = weight_tile(weight, 1, units, inner, width, True) if HELD else None
    held_n = weight_tile(weight, 2, units, inner, width, True) if HELD else None
    held_o = weight_tile(weight, 3, units, inner, width, True) if HELD else None
    gradient = tl.load(incoming + own, mask=inside, other=0.0)
    of_cell = tl.load(cell_incoming + own, mask=inside, other=0.0)
    for _ in range(steps):
        if STAGES & 1:
            enter = tl.load(gates + gate, mask=inside, other=0.0)
            forget = tl.load(gates + gate + width, mask=inside, other=0.0)
            candidate = tl.load(gates + gate + 2 * width, mask=inside, other=0.0)
            output = tl.load(gates + gate + 3 * width, mask=inside, other=0.0)
            shown = tl.load(beside + own, mask=inside, other=0.0)
            cell = tl.load(cells + own, mask=inside, other=0.0)
            gradient += tl.load(from_outputs + own, mask=inside, other=0.0)
            of_cell += gradient * output * (1.0 - shown * shown)
            tl.store(gates + gate, of_cell * candidate * enter * (1.0 - enter), mask=inside)
            tl.store(gates + gate + width, of_cell * cell * forget * (1.0 - forget), mask=inside)
            tl.store(gates + gate + 2 * width, of_cell * enter * (1.0 - candidate * candidate), mask=inside)
            tl.store(gates + gate + 3 * width, gradient * shown * output * (1.0 - output), mask=inside)
            of_cell *= forget
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        if STAGES & 2:
            at, wide = gates, 4 * width
            gradient = tl.zeros([ROWS, UNITS], tl.float32)
            gradient = product(gradient, at, wide, rows, batch, weight, 0, units, width, held_i, True, HELD, INNER)
            at += width
            gradient = product(gradient, at, wide, rows, batch, weight, 1, units, width, held_f, True, HELD, INNER)
            at += width
            gradient = product(gradient, at, wide, rows, batch, weight, 2, units, width, held_n, True, HELD, INNER)
            at += width
            gradient = product(gradient, at, wide, rows, batch, weight, 3, units, width, held_o, True, HELD, INNER)
        gates -= batch * width * 4
        cells -= batch * width
        beside -= batch * width
        from_outputs -= batch * width
    tl.store(incoming + own, gradient, mask=inside)
    tl.store(cell_incoming + own, of_cell, mask=inside)
