"""One training step of our recurrent layers against torch's built-in ones, timed alternately in the same process.

    python benchmarks/recurrent_layers.py [--rounds 9]

A ratio above 1 means that ours is faster. Beside it stands the share of the processor's measured float32 product peak
that our step reaches. Absolute times are no claim. The reset-before GRU has no built-in of its own; `nn.GRU`, another
function of the same cost, is its peer.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.kernels.gru import gru
from glassloom.kernels.lstm import lstm
from glassloom.kernels.rnn import rnn
from measuring import compared, in_turns, seconds_of, spread_in_words, write

EMBEDDING = 200
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


def product_peak() -> float:
    """Floating-point operations a second of a large float32 product, the best of several."""
    a, b = torch.randn(1536, 1536), torch.randn(1536, 1536)
    return max(2 * 1536**3 / seconds_of(partial(torch.mm, a, b), least=0.05) for _ in range(8))


def both_passes(run: Callable[[Tensor], Tensor], inputs: Tensor, gradient: Tensor) -> float:
    """Seconds of one forward and backward pass."""
    return seconds_of(lambda: run(inputs).backward(gradient))


def measure(rounds: int) -> list[dict[str, Any]]:
    """Every cell at every shape."""
    rows: list[dict[str, Any]] = []
    for steps, batch, width, layers in SHAPES:
        for kind in GATES:
            inputs = torch.randn(steps, batch, EMBEDDING, requires_grad=True)
            gradient = torch.randn(steps, batch, width)
            _, run = ours(kind, width, layers)
            peer = PEERS[kind](EMBEDDING, width, layers)
            pairs = in_turns(
                partial(both_passes, run, inputs, gradient),
                partial(both_passes, lambda values, peer=peer: peer(values)[0], inputs, gradient),
                rounds,
            )
            flops = sum(
                6 * steps * batch * GATES[kind] * width * (n + width) for n in [EMBEDDING] + [width] * (layers - 1)
            )
            mine = statistics.median(mine for mine, _ in pairs)
            shape = {"cell": kind, "steps": steps, "batch": batch, "width": width, "layers": layers}
            rows.append({**shape, **compared(pairs), "share_of_peak": flops / mine / product_peak()})
    return rows


def main(rounds: int = 9) -> None:
    """Measure, print, write JSON."""
    rows = measure(rounds)
    print(f"{'cell':<12} {'steps':>5} {'batch':>5} {'width':>5} {'layers':>6}   ours against torch   share of peak")
    for row in rows:
        print(
            f"{row['cell']:<12} {row['steps']:>5} {row['batch']:>5} {row['width']:>5} {row['layers']:>6}   "
            f"{spread_in_words(row)}   {row['share_of_peak']:.0%}"
        )
    write("recurrent_layers", "python benchmarks/recurrent_layers.py", rows, threads=torch.get_num_threads())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    main(parser.parse_args().rounds)
