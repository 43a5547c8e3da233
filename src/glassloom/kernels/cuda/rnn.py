# mypy: disable-error-code="no-untyped-def"
"""The simple recurrent layer in Triton; the equations are those of `glassloom.kernels.rnn`.

Not yet run on a GPU.
"""

from typing import no_type_check

import triton
import triton.language as tl

from glassloom.kernels.cuda.parts import meet, product, tanh, weight_tile


@triton.jit
@no_type_check
def forward(
    states, weight, counter, steps, batch, width,
    RELU: tl.constexpr, TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """Every argument in `states` (but the first, a state) becomes a state."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    held = weight_tile(weight, 0, units, tl.arange(0, INNER), width, False) if HELD else None
    for _ in range(steps):
        after = states + batch * width
        total = tl.load(after + own, mask=inside, other=0.0)
        total = product(total, states, width, rows, batch, weight, 0, units, width, held, False, HELD, INNER)
        hidden = tl.maximum(total, 0.0, propagate_nan=tl.PropagateNan.ALL) if RELU else tanh(total)
        tl.store(after + own, hidden, mask=inside)
        meet(counter, goal, TOGETHER)
        goal += tl.num_programs(1)
        states = after


@triton.jit
@no_type_check
def backward(
    gates, states, from_outputs, incoming, weight, counter, steps, batch, width,
    RELU: tl.constexpr, TOGETHER: tl.constexpr, STAGES: tl.constexpr,
    HELD: tl.constexpr, ROWS: tl.constexpr, UNITS: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """From the last step, where the pointers stand (`states`: after it), the arguments' gradients into `gates`."""
    rows = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    units = tl.program_id(1) * UNITS + tl.arange(0, UNITS)
    inside = (rows < batch)[:, None] & (units < width)[None, :]
    own = rows[:, None] * width + units[None, :]
    counter += tl.program_id(0)
    goal = tl.num_programs(1)
    held = weight_tile(weight, 0, units, tl.arange(0, INNER), width, True) if HELD else None
    gradient = tl.load(incoming + own, mask=inside, other=0.0)
    for _ in range(steps):
        if STAGES & 1:
            hidden = tl.load(states + own, mask=inside, other=0.0)
            gradient += tl.load(from_outputs + own, mask=inside, other=0.0)
            slope = (hidden > 0).to(tl.float32) if RELU else 1.0 - hidden * hidden
            tl.store(gates + own, gradient * slope, mask=inside)
            meet(counter, goal, TOGETHER)
            goal += tl.num_programs(1)
        if STAGES & 2:
            gradient = tl.zeros([ROWS, UNITS], tl.float32)
            gradient = product(gradient, gates, width, rows, batch, weight, 0, units, width, held, True, HELD, INNER)
        gates -= batch * width
        states -= batch * width
        from_outputs -= batch * width
    tl.store(incoming + own, gradient, mask=inside)
