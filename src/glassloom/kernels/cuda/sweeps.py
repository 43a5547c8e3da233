"""A whole sequence by a Triton kernel: what it is given, how the layer is cut into tiles, and how it is launched.

    alone      a program owns rows of the batch and all units: nobody waits for anybody
    together   programs that share rows own different units and meet once or twice a step; all are on the chip at once
    apart      the same tiles, a launch a stage of a step: what a meeting orders, the launches order

Not yet run on a GPU. In Triton's interpreter, where programs run one after the other, what would be `together` is
`apart`. The tiles are chosen by reasoning from the chip's sizes, and are to be chosen by measurement.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import triton
from torch import Tensor

from glassloom.kernels.cuda import gru, lstm, rnn
from glassloom.kernels.native import FORWARD, Cell

ALONE = 128
"""Up to this width a program owns all units."""


@dataclass(frozen=True)
class Sweep:
    """One cell in one direction: its kernel, the arrays that it takes, in order, and the stages of a step as bits."""

    kernel: Any
    arrays: tuple[str, ...]
    stages: tuple[int, ...] = (1,)
    after: frozenset[str] = frozenset()
    """Arrays of `time+1` steps that are read after the step, not before it."""
    more: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Tiles:
    """What a program owns, how much of the inner axis it multiplies at once, and on how many warps."""

    rows: int
    units: int
    inner: int
    held: bool
    warps: int


WHOLE = frozenset({"incoming", "cell_incoming", "recurrent_bias"})
"""Arrays without a time axis."""


def sweeps_of(relu: bool) -> tuple[Sweep, Sweep]:
    """The simple layer with either activation."""
    arrays = ("gates", "states", "from_outputs", "incoming")
    return (
        Sweep(rnn.forward, ("states",), more={"RELU": relu}),
        Sweep(rnn.backward, arrays, (1, 2), frozenset({"states"}), {"RELU": relu}),
    )


SWEEPS = {
    Cell.RNN_TANH: sweeps_of(relu=False),
    Cell.RNN_RELU: sweeps_of(relu=True),
    Cell.GRU_RESET_BEFORE: (
        Sweep(gru.forward_before, ("gates", "states", "beside"), (1, 2)),
        Sweep(gru.backward_before, ("gates", "states", "from_outputs", "incoming"), (1, 2, 4)),
    ),
    Cell.GRU_RESET_AFTER: (
        Sweep(gru.forward_after, ("gates", "states", "beside", "recurrent_bias")),
        Sweep(gru.backward_after, ("gates", "states", "beside", "from_outputs", "incoming"), (1, 2)),
    ),
    Cell.LSTM: (
        Sweep(lstm.forward, ("gates", "states", "cells", "beside")),
        Sweep(lstm.backward, ("gates", "cells", "beside", "from_outputs", "incoming", "cell_incoming"), (1, 2)),
    ),
}
"""Forward and backward of each cell."""


@dataclass(frozen=True)
class Chip:
    """What bounds the tiles: how many programs run at once, and the bytes of shared memory that each may have."""

    processors: int
    shared_bytes: int


HOPPER = Chip(132, 232_448)
"""The chip that the tiles were reasoned for, and that the interpreter plays."""


def chip_of(device: torch.device) -> Chip:
    """The device's own sizes."""
    if device.type != "cuda":
        return HOPPER
    found = torch.cuda.get_device_properties(device)
    shared = getattr(found, "shared_memory_per_block_optin", found.shared_memory_per_block)
    return Chip(found.multi_processor_count, shared)


def tiles_for(batch: int, width: int, gates: int, itemsize: int, chip: Chip = HOPPER) -> Tiles:
    """How a layer is cut: all units to a program where its weights are small, else so few that all programs are there.

    A product has at least 16 rows, units and inner entries; what is beyond the batch or the width is zero. bfloat16
    weights are held where they fit beside the left side's tile; float32 ones, split into three products, would leave
    no registers.

    >>> tiles_for(batch=128, width=512, gates=3, itemsize=2)
    Tiles(rows=32, units=16, inner=512, held=True, warps=4)
    """
    inner = max(16, triton.next_power_of_2(width))
    rows, units = 16, inner if width <= ALONE else 16
    if units < inner:
        while triton.cdiv(batch, rows) * triton.cdiv(width, units) > chip.processors and rows < 128:
            rows *= 2
    held = (
        itemsize == 2 and rows * inner <= 2**14 and inner * (units * gates * itemsize + rows * 4) <= chip.shared_bytes
    )
    if not held:
        inner = min(inner, 64 if itemsize == 2 else 32)
    return Tiles(rows, units, inner, held, 8 if rows * units >= 2048 else 4)


_tiles: list[Tiles | None] = [None]


@contextmanager
def tiled(tiles: Tiles | None) -> Iterator[None]:
    """These tiles (None: those chosen by the sizes) inside a `with` block: for tests and measurements."""
    _tiles.append(tiles)
    try:
        yield
    finally:
        _tiles.pop()


def run(cell: Cell, weight: Tensor, dtype: torch.dtype, direction: int, **arrays: Tensor) -> None:
    """A whole sequence in one direction; `arrays` are contiguous, named and shaped as in native/job.h."""
    sweep, states = SWEEPS[cell][direction], arrays["states"]
    steps, batch, width = states.shape[0] - 1, *states.shape[1:]
    weight = weight.to(dtype).contiguous()
    if not steps:
        return
    chip = chip_of(states.device)
    tiles = _tiles[-1] or tiles_for(batch, width, weight.shape[0] // width, weight.itemsize, chip)
    grid = triton.cdiv(batch, tiles.rows), triton.cdiv(width, tiles.units)
    together = states.is_cuda and grid[1] > 1 and grid[0] * grid[1] <= chip.processors
    counter = states.new_zeros(grid[0], dtype=torch.int32)
    given: dict[str, Any] = {"HELD": tiles.held, "ROWS": tiles.rows, "UNITS": tiles.units, "INNER": tiles.inner}
    given |= {"TOGETHER": together, "launch_cooperative_grid": together, "num_warps": tiles.warps, **sweep.more}
    # A loop whose weights are held is the loop over the steps: its loads must not be moved to the step before.
    given |= {"num_stages": 1 if tiles.held else 3}

    def launch(step: int, count: int, stages: int) -> None:
        pointers = [
            arrays[name] if name in WHOLE else arrays[name][step + (name in sweep.after) :] for name in sweep.arrays
        ]
        sweep.kernel[grid](*pointers, weight, counter, count, batch, width, STAGES=stages, **given)

    with torch.cuda.device_of(states):
        if grid[1] == 1 or together:
            launch(0 if direction == FORWARD else steps - 1, steps, sum(sweep.stages))
            return
        for step in range(steps) if direction == FORWARD else reversed(range(steps)):
            for stages in sweep.stages:
                launch(step, 1, stages)
