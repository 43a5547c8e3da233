"""One training step of our recurrent layers against torch's built-in ones, timed alternately in the same process.

    python benchmarks/recurrent_layers.py [--rounds 9]

A ratio above 1 means that ours is faster. The peer is the built-in layer in float32, also of our bfloat16 rows (where
the processor multiplies in bfloat16), and beside those the built-in under bfloat16 autocast. The share is that of the
processor's measured product peak in the same precision. Absolute times are no claim. The reset-before GRU has no
built-in of its own; `nn.GRU`, another function of the same cost, is its peer.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.kernels import native
from glassloom.kernels.gru import gru
from glassloom.kernels.lstm import lstm
from glassloom.kernels.rnn import rnn
from measuring import compared, in_turns, seconds_of, spread_in_words, write

EMBEDDING = 200
PRECISIONS = ["float32", "bfloat16"] if str(native.chosen()).endswith("bf16") else ["float32"]
SHAPES = [(35, 128, 512, 2), (35, 20, 512, 2), (100, 64, 128, 2), (25, 1, 100, 1)]
"""Steps, batch, width, layers."""

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

    return [tensor for weights in stack for tensor in weights], run


TARGETS = {
    (35, 128, 512, 2): {"gru": (1.25, 2.3), "lstm": (1.05, 1.8), "rnn": (1.25, None)},
    (35, 20, 512, 2): {"gru": (1.7, 2.9), "lstm": (1.05, 1.8), "rnn": (1.7, None)},
    (100, 64, 128, 2): {"gru": (1.8, 2.8), "lstm": (1.25, 1.9), "rnn": (1.5, None)},
    (25, 1, 100, 1): {"gru": (6.0, None), "lstm": (2.7, None), "rnn": (4.0, None)},
}
"""What was to be reached in float32 and in bfloat16, both against the built-in in float32."""


def product_peak(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product, the best of several."""
    a, b = torch.randn(1536, 1536).to(dtype), torch.randn(1536, 1536).to(dtype)
    return max(2 * 1536**3 / seconds_of(partial(torch.mm, a, b), least=0.05) for _ in range(8))


def both_passes(run: Callable[[Tensor], Tensor], inputs: Tensor, gradient: Tensor, bfloat16: bool = False) -> float:
    """Seconds of one forward and backward pass."""

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            outputs = run(inputs)
        outputs.backward(gradient.to(outputs.dtype))

    return seconds_of(step)


def measure(rounds: int) -> list[dict[str, Any]]:
    """Every cell at every shape."""
    rows: list[dict[str, Any]] = []
    for steps, batch, width, layers in SHAPES:
        for kind in GATES:
            inputs = torch.randn(steps, batch, EMBEDDING, requires_grad=True)
            gradient = torch.randn(steps, batch, width)
            _, run = ours(kind, width, layers)
            peer = PEERS[kind](EMBEDDING, width, layers)
            flops = sum(
                6 * steps * batch * GATES[kind] * width * (n + width) for n in [EMBEDDING] + [width] * (layers - 1)
            )
            shape = {"cell": kind, "steps": steps, "batch": batch, "width": width, "layers": layers}
            theirs = partial(both_passes, lambda values, peer=peer: peer(values)[0], inputs, gradient)
            for precision in PRECISIONS:
                rounded = precision == "bfloat16"
                pairs = in_turns(partial(both_passes, run, inputs, gradient, rounded), theirs, rounds)
                mine = statistics.median(mine for mine, _ in pairs)
                row = {"name": f"{kind}, {steps} x {batch} x {width}, {layers} layers, {precision}", "unit": "times"}
                row |= {**shape, "precision": precision, **compared(pairs)}
                target = TARGETS[steps, batch, width, layers][kind.split()[0]][rounded]
                row |= {"target": target, "measured": row["ratio"], "better": "higher"}
                row["met"] = None if target is None else row["ratio"] >= target
                row["share_of_peak"] = flops / mine / product_peak(getattr(torch, precision))
                if rounded:
                    alike = partial(both_passes, run, inputs, gradient, True), partial(theirs, True)
                    row["against_autocast"] = compared(in_turns(*alike, max(3, rounds // 2)))["ratio"]
                rows.append(row)
    return rows


def main(rounds: int = 9) -> None:
    """Measure, print, write JSON."""
    rows = measure(rounds)
    for row in rows:
        asked = "" if row["target"] is None else f"asked {row['target']:g}"
        beside = f"autocast {row['against_autocast']:.2f}" if "against_autocast" in row else ""
        share = f"{row['share_of_peak']:.0%} of the peak"
        print(f"{row['name']:<48} {spread_in_words(row)}  {asked:<10} {share:<16} {beside}")
    write(
        "recurrent_layers",
        "python benchmarks/recurrent_layers.py",
        rows,
        threads=torch.get_num_threads(),
        kernels=native.chosen(),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
