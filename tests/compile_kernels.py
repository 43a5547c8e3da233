"""Compiles one cell's Triton kernels for a Hopper GPU, which needs none: `compile_kernels.py CELL FOLDER CUTS`.

Prints a line for each direction and cut: its name, its bytes of shared memory, whether its programs meet, how often its
text raises a counter that others can see, and how often it waits with an acquiring read.
"""

import os
import sys

os.environ["TRITON_CACHE_DIR"] = sys.argv[2]
os.environ.pop("TRITON_INTERPRET", None)

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from glassloom.kernels.cuda import sweeps
from glassloom.kernels.native import Cell

GATES = {Cell.RNN_TANH: 1, Cell.RNN_RELU: 1, Cell.GRU_RESET_BEFORE: 3, Cell.GRU_RESET_AFTER: 3, Cell.LSTM: 4}
CUTS = [(128, 512, "bf16"), (64, 128, "fp32"), (128, 512, "fp32"), (64, 128, "bf16")]
"""Batch, width, type of the products."""


def compiled(
    sweep: sweeps.Sweep, tiles: sweeps.Tiles, precision: str, together: bool
) -> triton.compiler.CompiledKernel:
    """The kernel as it is launched over all steps, for a width that 16 divides."""
    constants = {"HELD": tiles.held, "ROWS": tiles.rows, "UNITS": tiles.units, "INNER": tiles.inner}
    constants |= {"TOGETHER": together, "STAGES": sum(sweep.stages), **sweep.more}
    numbers, types = ("steps", "batch", "width"), {"weight": f"*{precision}", "counter": "*i32"}
    signature = {
        name: "constexpr" if name in constants else "i32" if name in numbers else types.get(name, "*fp32")
        for name in sweep.kernel.arg_names
    }
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(signature)
        if name not in constants and name != "steps"
    }
    options = {"num_warps": tiles.warps, "num_stages": 1 if tiles.held else 3, "launch_cooperative_grid": together}
    source = ASTSource(sweep.kernel, signature, constants, aligned)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)


if __name__ == "__main__":
    cell = Cell[sys.argv[1]]
    for direction, sweep in zip(("forward", "backward"), sweeps.SWEEPS[cell], strict=True):
        for batch, width, precision in CUTS[: int(sys.argv[3])]:
            tiles = sweeps.tiles_for(batch, width, GATES[cell], 2 if precision == "bf16" else 4)
            together = tiles.units < width
            found = compiled(sweep, tiles, precision, together)
            text = found.asm["ptx"]
            raised, waited = text.count("atom.global.gpu.release"), text.count("gpu.acquire")
            print(f"{direction}-{width}-{precision}", found.metadata.shared, together, raised, waited)
