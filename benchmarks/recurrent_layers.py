"""One training step of our recurrent layers against torch's built-in ones, timed alternately.

    python benchmarks/recurrent_layers.py [--rounds 9] [--instructions avx2]

A ratio above 1 means that ours is faster. As in a training, every weight is changed between two steps and every
gradient begins anew, on both sides and outside of the timing: nothing that was prepared from a weight can be used
again. Each side has a process of its own, for freed memory is kept in ours, as `glassloom train` keeps it, and given
back in the peer's, as a script on torch has it; a second figure is that against the peer with its memory kept, too. The
peer is the built-in layer in float32, also of our bfloat16 rows (where the processor multiplies in bfloat16), and
beside those the built-in under bfloat16 autocast. The share is that of the processor's measured product peak in the
same precision. Absolute times are no claim. The reset-before GRU has no built-in of its own; `nn.GRU`, another function
of the same cost, is its peer. Where our own LSTM is no faster than torch's, it is torch's (`kernels/builtin.py`).

`--instructions` measures a lesser machine: ours is held to that instruction set, and torch with the libraries below it
to the same by their own switches (HELD, below). The results have a file of their own, which says what was set and what
torch makes of it; whether MKL heeds its switch on every maker's processors is not told by it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.kernels import native
from glassloom.kernels.gru import gru
from glassloom.kernels.lstm import lstm
from glassloom.kernels.rnn import rnn
from glassloom.training.machine import keep_freed_memory
from measuring import compared, in_turns, seconds_of, spread_in_words, write

EMBEDDING = 200
PRECISIONS = ["float32", "bfloat16"] if str(native.chosen()).endswith("bf16") else ["float32"]
SHAPES = [(35, 128, 512, 2), (35, 20, 512, 2), (100, 64, 128, 2), (25, 1, 100, 1)]
"""Steps, batch, width, layers."""

HELD = {
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    "avx512": {
        "ATEN_CPU_CAPABILITY": "avx512",
        "ONEDNN_MAX_CPU_ISA": "AVX512_CORE",
        "MKL_ENABLE_INSTRUCTIONS": "AVX512",
    },
}
"""What holds torch and its libraries to an instruction set, in the environment of a process that begins."""

GATES = {"rnn": 1, "gru before": 3, "gru after": 3, "lstm": 4}
PEERS = {"rnn": nn.RNN, "gru before": nn.GRU, "gru after": nn.GRU, "lstm": nn.LSTM}


def ours(kind: str, width: int, layers: int) -> tuple[list[Tensor], Callable[[Tensor], Tensor]]:
    """Our stack: its parameters, and the function from inputs (time batch inputs) to outputs."""
    bound = width**-0.5
    sizes = [EMBEDDING] + [width] * (layers - 1)
    shape = GATES[kind] * width
    stack = [
        [torch.empty(*size).uniform_(-bound, bound).requires_grad_() for size in ((shape, n), (shape, width), (shape,))]
        for n in sizes
    ]
    after = [torch.empty(width).uniform_(-bound, bound).requires_grad_() for _ in sizes]

    def run(values: Tensor) -> Tensor:
        zero = values.new_zeros(values.shape[1], width)
        for weights, recurrent_bias in zip(stack, after, strict=True):
            if kind == "rnn":
                values = rnn(values, *weights, zero)[0]
            elif kind == "lstm":
                values = lstm(values, *weights, zero, zero)[0]
            elif kind == "gru before":
                values = gru(values, *weights, zero)[0]
            else:
                values = gru(values, *weights, zero, reset="after", recurrent_bias=recurrent_bias)[0]
        return values

    return [tensor for weights in stack for tensor in weights] + (after if kind == "gru after" else []), run


TARGETS = {
    (35, 128, 512, 2): {"gru": (1.25, 2.3), "lstm": (1.05, 1.8), "rnn": (1.25, None)},
    (35, 20, 512, 2): {"gru": (1.7, 2.9), "lstm": (1.05, 1.8), "rnn": (1.7, None)},
    (100, 64, 128, 2): {"gru": (1.8, 2.8), "lstm": (1.25, 1.9), "rnn": (1.5, None)},
    (25, 1, 100, 1): {"gru": (6.0, None), "lstm": (2.7, None), "rnn": (4.0, None)},
}
"""What was to be reached in float32 and in bfloat16, both against the built-in in float32."""


def target_of(shape: tuple[int, int, int, int], kind: str, rounded: bool) -> float | None:
    """What was asked of a cell at a shape; of a lesser machine only that no built-in be faster."""
    if os.environ.get("GLASSLOOM_INSTRUCTIONS"):
        return 1.0
    return TARGETS[shape][kind.split()[0]][rounded]


def product_peak(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product, the best of several."""
    a, b = torch.randn(1536, 1536).to(dtype), torch.randn(1536, 1536).to(dtype)
    return max(2 * 1536**3 / seconds_of(partial(torch.mm, a, b), least=0.05) for _ in range(8))


def both_passes(
    run: Callable[[Tensor], Tensor], weights: list[Tensor], inputs: Tensor, gradient: Tensor, bfloat16: bool = False
) -> float:
    """Seconds of one forward and backward pass."""

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = run(inputs)
        outputs.backward(gradient.to(outputs.dtype))

    def change() -> None:
        with torch.no_grad():
            for weight in weights:
                weight.add_(weight.grad, alpha=-1e-6)
                weight.grad = None
        inputs.grad = None

    return seconds_of(step, between=change)


def work(side: str) -> None:
    """A side's process: for each line with a cell, a shape and a precision it answers with seconds."""
    if side != "torch":
        keep_freed_memory()
    made: tuple[object, tuple[Any, ...]] = (None, ())
    for line in sys.stdin:
        kind, (steps, batch, width, layers), rounded = json.loads(line)
        if made[0] != line:
            made = (None, ())  # what was made before is freed first
            inputs, gradient = (
                torch.randn(steps, batch, EMBEDDING, requires_grad=True),
                torch.randn(steps, batch, width),
            )
            if side == "ours":
                weights, run = ours(kind, width, layers)
            else:
                peer = PEERS[kind](EMBEDDING, width, layers)
                weights, run = list(peer.parameters()), lambda values, peer=peer: peer(values)[0]
            made = line, (run, weights, inputs, gradient, rounded)
            both_passes(*made[1])
        print(both_passes(*made[1]), flush=True)


@contextmanager
def sides() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The processes: ours, torch, and torch with freed memory kept."""
    with ExitStack() as stack:
        begun = {}
        for side in ("ours", "torch", "torch, memory kept"):
            command = [sys.executable, __file__, "--side", side]
            begun[side] = stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        yield begun
        for process in begun.values():
            assert process.stdin is not None
            process.stdin.close()


def asked(process: subprocess.Popen[str], kind: str, shape: Sequence[int], rounded: bool) -> float:
    """Seconds of both passes on one side."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(json.dumps([kind, shape, rounded]), file=process.stdin, flush=True)
    return float(process.stdout.readline())


def measure(rounds: int) -> Iterator[dict[str, Any]]:
    """Every cell at every shape."""
    for shape in SHAPES:
        with sides() as process:
            for kind in GATES:
                for precision in PRECISIONS:
                    yield row_of(process, kind, shape, precision, rounds)


def row_of(
    process: dict[str, subprocess.Popen[str]], kind: str, shape: tuple[int, int, int, int], precision: str, rounds: int
) -> dict[str, Any]:
    """One cell at one shape."""
    steps, batch, width, layers = shape
    rounded = precision == "bfloat16"
    inputs = [EMBEDDING] + [width] * (layers - 1)
    flops = sum(6 * steps * batch * GATES[kind] * width * (n + width) for n in inputs)
    mine = partial(asked, process["ours"], kind, shape, rounded)
    pairs = in_turns(mine, partial(asked, process["torch"], kind, shape, False), rounds)
    row = {"name": f"{kind}, {steps} x {batch} x {width}, {layers} layers, {precision}", "unit": "times"}
    row |= {"cell": kind, "steps": steps, "batch": batch, "width": width, "layers": layers}
    row |= {"precision": precision, **compared(pairs)}
    target = target_of(shape, kind, rounded)
    row |= {"target": target, "measured": row["ratio"], "better": "higher"}
    row["met"] = None if target is None else row["ratio"] >= target
    seconds = statistics.median(mine for mine, _ in pairs)
    row["share_of_peak"] = flops / seconds / product_peak(getattr(torch, precision))
    fewer = max(3, rounds // 2)
    kept = in_turns(mine, partial(asked, process["torch, memory kept"], kind, shape, False), fewer)
    row["memory_kept_for_both"] = compared(kept)["ratio"]
    if rounded:
        alike = in_turns(mine, partial(asked, process["torch"], kind, shape, True), fewer)
        row["against_autocast"] = compared(alike)["ratio"]
    return row


def main(rounds: int = 9) -> None:
    """Measure, print, write JSON."""
    rows = []
    for row in measure(rounds):
        aim = "" if row["target"] is None else f"asked {row['target']:g}"
        beside = f"autocast {row['against_autocast']:.2f}" if "against_autocast" in row else ""
        share = f"{row['share_of_peak']:.0%} of the peak"
        kept = f"memory kept for both {row['memory_kept_for_both']:.2f}"
        print(f"{row['name']:<48} {spread_in_words(row)}  {aim:<10} {share:<16} {kept}  {beside}", flush=True)
        rows.append(row)
    held = os.environ.get("GLASSLOOM_INSTRUCTIONS")
    write(
        "recurrent_layers" + (f"_{held}" if held else ""),
        "python benchmarks/recurrent_layers.py" + (f" --instructions {held}" if held else ""),
        rows,
        threads=torch.get_num_threads(),
        kernels=native.chosen(),
        torch_instructions=torch.backends.cpu.get_cpu_capability(),
        held={name: os.environ[name] for name in HELD.get(held or "", {})},
    )


def hold(instructions: str) -> None:
    """Begin this process anew, ours and torch held to an instruction set."""
    environment = {**os.environ, **HELD[instructions], "GLASSLOOM_INSTRUCTIONS": instructions}
    if environment != os.environ:
        os.execve(sys.executable, [sys.executable, *sys.argv], environment)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--instructions", choices=HELD, help="measure a machine with no more than these")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        work(given.side)
        sys.exit()
    if given.instructions:
        hold(given.instructions)
    main(given.rounds)
