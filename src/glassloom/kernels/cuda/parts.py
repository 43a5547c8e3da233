# mypy: disable-error-code="no-untyped-def"
"""What the Triton kernels of all cells share: tiles, their products, activations, and how programs wait for each other.

A program owns some rows of the batch and some units of the layer (a tile, `rows units`) for all steps. What it needs of
other units (the hidden vector, or the gates' gradients) lies in memory, where their owners have put it one meeting
before. Not yet run on a GPU.
"""

from typing import no_type_check

import triton
import triton.language as tl

INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
"""Whether Triton's interpreter runs the kernels, on the CPU (TRITON_INTERPRET=1 when they were imported)."""


@triton.jit
@no_type_check
def sigmoid(x):
    """1 / (1 + exp(-x)), never exp of anything positive."""
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, small) / (1.0 + small)


@triton.jit
@no_type_check
def tanh(x):
    """(1 - exp(-2|x|)) / (1 + exp(-2|x|)) with the sign of x: right to a rounding of 1."""
    small = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - small) / (1.0 + small)
    return tl.where(x >= 0, size, -size)


@triton.jit
@no_type_check
def weight_tile(weight, gate, units, inner, width, BACKWARD: tl.constexpr):
    """One gate's recurrent weight as the right side of a product: `inner units`.

    Forward, the inner axis runs over the units that are read, U[unit, inner]; backward, over those whose gradient comes
    back, U[inner, unit].
    """
    inside = (inner < width)[:, None] & (units < width)[None, :]
    if BACKWARD:
        place = (gate * width + inner)[:, None] * width + units[None, :]
    else:
        place = (gate * width + units)[None, :] * width + inner[:, None]
    return tl.load(weight + place, mask=inside, other=0.0)


@triton.jit
@no_type_check
def multiply(left, right, total):
    """total + left @ right, factors rounded to the type of `right`, sums in float32.

    float32 ones are multiplied as three products of tf32 parts, which is float32 to a few roundings.
    """
    left = left.to(right.dtype)
    if INTERPRETED:  # whose products take bfloat16 for integers
        left, right = left.to(tl.float32), right.to(tl.float32)
    return tl.dot(left, right, total, input_precision="tf32x3")


@triton.jit
@no_type_check
def product(
    total, left, stride, rows, batch, weight, gate, units, width, held,
    BACKWARD: tl.constexpr, HELD: tl.constexpr, INNER: tl.constexpr,
):  # fmt: skip
    """total + left @ weight of one gate; `left` is `batch width` with rows `stride` apart.

    With HELD the weight's tile stays on the chip (`held`) and spans the whole inner axis; else it is read tile by tile.
    """
    if HELD:
        inner = tl.arange(0, INNER)
        inside = (rows < batch)[:, None] & (inner < width)[None, :]
        values = tl.load(left + rows[:, None] * stride + inner[None, :], mask=inside, other=0.0)
        total = multiply(values, held, total)
    else:
        for begin in range(0, width, INNER):
            inner = begin + tl.arange(0, INNER)
            inside = (rows < batch)[:, None] & (inner < width)[None, :]
            values = tl.load(left + rows[:, None] * stride + inner[None, :], mask=inside, other=0.0)
            tile = weight_tile(weight, gate, units, inner, width, BACKWARD)
            total = multiply(values, tile, total)
    return total


@triton.jit
@no_type_check
def meet(counter, goal, TOGETHER: tl.constexpr):
    """What was stored before is seen after by every thread of the program; TOGETHER: by every program of these rows.

    The counter has then been raised by each of them. All of them must be on the chip at once, or none goes on.
    """
    tl.debug_barrier()
    if TOGETHER:
        tl.atomic_add(counter, 1, sem="release")
        while tl.atomic_add(counter, 0, sem="acquire") < goal:
            pass
        tl.debug_barrier()
