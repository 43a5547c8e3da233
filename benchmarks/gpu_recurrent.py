"""One training step of our recurrent layers on a GPU against torch's own (cuDNN), eager and as a captured graph.

    python benchmarks/gpu_recurrent.py [--rounds 5] [--minutes 9] [--choose]

For every cell, shape and precision each way of ours (`cudnn`, `triton`, and `plain` torch) is timed in turns with the
peer, by CUDA events; where it can be captured, its graph against the peer's graph too. A ratio above 1 means that ours
is faster. The peer has its weights and inputs in the precision itself: it need not round anything. The reset-before GRU
has no peer in cuDNN; `nn.GRU`, another function of the same cost, stands beside it, and what counts there is the column
against plain torch. A call that runs out of time is called again. `--choose` then writes which way was the fastest into
`src/glassloom/kernels/cuda/choices.json`. Only torch and jaxtyping are needed. Not yet run on a GPU.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from glassloom.kernels.cuda import choosing
from glassloom.kernels.gru import gru
from glassloom.kernels.lstm import lstm
from glassloom.kernels.rnn import rnn
from gpu_measuring import Rows, captured, gpu_or_exit, median, seconds_on_gpu, warmed
from measuring import compared, in_turns, spread_in_words
from recurrent_layers import EMBEDDING, GATES, PEERS, SHAPES

WAYS = {"rnn": ("cudnn", "triton", "plain"), "gru before": ("triton", "plain")}
WAYS |= {"gru after": WAYS["rnn"], "lstm": WAYS["rnn"]}
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}


def ours(kind: str, width: int, layers: int) -> tuple[list[Tensor], Callable[[Tensor], Tensor]]:
    """Our stack on the GPU: its parameters, and the function from inputs (time batch inputs) to outputs."""
    bound, sizes = width**-0.5, [EMBEDDING] + [width] * (layers - 1)
    shape = GATES[kind] * width

    def drawn(*size: int) -> Tensor:
        return torch.empty(*size, device="cuda").uniform_(-bound, bound).requires_grad_()

    stack = [(drawn(shape, n), drawn(shape, width), drawn(shape), drawn(width)) for n in sizes]

    def run(values: Tensor) -> Tensor:
        zero = values.new_zeros(values.shape[1], width)
        for *weights, second in stack:
            if kind == "rnn":
                values = rnn(values, *weights, zero)[0]
            elif kind == "lstm":
                values = lstm(values, *weights, zero, zero)[0]
            elif kind == "gru before":
                values = gru(values, *weights, zero)[0]
            else:
                values = gru(values, *weights, zero, reset="after", recurrent_bias=second)[0]
        return values

    used = 4 if kind == "gru after" else 3
    return [tensor for weights in stack for tensor in weights[:used]], run


def both_passes(
    run: Callable[[Tensor], Tensor], parameters: list[Tensor], inputs: Tensor, gradient: Tensor
) -> tuple[Tensor, ...]:
    """One forward and backward pass, with the gradients of everything."""
    return torch.autograd.grad(run(inputs), [inputs, *parameters], gradient)


def our_step(kind: str, steps: int, batch: int, width: int, layers: int, way: str, precision: str) -> Any:
    """Our step as work without arguments: float32 weights and states, products in the precision, as in training."""
    parameters, run = ours(kind, width, layers)
    inputs = torch.randn(steps, batch, EMBEDDING, device="cuda", requires_grad=True)
    gradient = torch.randn(steps, batch, width, device="cuda")

    def work() -> None:
        with choosing.using(way):  # type: ignore[arg-type]  # one of WAYS
            with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False):
                outputs = run(inputs)
            torch.autograd.grad(outputs, [inputs, *parameters], gradient)

    return work


def peer_step(kind: str, steps: int, batch: int, width: int, layers: int, precision: str) -> Any:
    """torch's own module, wholly in the precision."""
    dtype = PRECISIONS[precision]
    peer = PEERS[kind](EMBEDDING, width, layers).to("cuda", dtype)
    inputs = torch.randn(steps, batch, EMBEDDING, device="cuda", dtype=dtype, requires_grad=True)
    gradient = torch.randn(steps, batch, width, device="cuda", dtype=dtype)
    return partial(both_passes, lambda values: peer(values)[0], list(peer.parameters()), inputs, gradient)


def compared_with(work: Any, peer: Any, rounds: int) -> dict[str, Any]:
    """Both warmed up, then in turns."""
    warmed(work)
    warmed(peer)
    return compared(in_turns(partial(seconds_on_gpu, work), partial(seconds_on_gpu, peer), rounds))


def as_graphs(work: Any, peer: Any, rounds: int) -> dict[str, Any] | str:
    """The same of their captured graphs; the reason where one cannot be captured."""
    try:
        return compared_with(captured(work), captured(peer), rounds)
    except RuntimeError as error:
        return str(error).splitlines()[0]


def measure(table: Rows, rounds: int) -> None:
    """Every row that the table lacks."""
    for kind in GATES:
        for precision in PRECISIONS:
            for steps, batch, width, layers in SHAPES:
                for way in WAYS[kind]:
                    key: dict[str, Any] = {"cell": kind, "precision": precision, "way": way, "steps": steps}
                    key |= {"batch": batch, "width": width, "layers": layers}
                    if not table.lacks(**key):
                        continue
                    work = our_step(kind, steps, batch, width, layers, way, precision)
                    peer = peer_step(kind, steps, batch, width, layers, precision)
                    row = compared_with(work, peer, rounds)
                    table.add({**key, **row, "graphs": as_graphs(work, peer, rounds)})


def our_seconds(row: dict[str, Any]) -> float:
    """The median of our times in a row."""
    return median([pair["ours"] for pair in row["seconds"]])


def against_plain(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """How many times faster a row's way is than plain torch at the same shape."""
    same = ("cell", "precision", "steps", "batch", "width", "layers")
    plain = [one for one in rows if one["way"] == "plain" and all(one[name] == row[name] for name in same)]
    return f"{our_seconds(plain[0]) / our_seconds(row):.1f}" if plain else "-"


def show(rows: list[dict[str, Any]]) -> None:
    """The table for the terminal."""
    print(f"{'cell':<11}{'precision':<10}{'way':<7}{'shape':<22}against nn (cuDNN)      as graphs   against plain")
    for row in rows:
        shape = f"{row['steps']}x{row['batch']}, {row['width']}, {row['layers']}"
        graphs = row["graphs"] if isinstance(row["graphs"], str) else f"{row['graphs']['ratio']:.2f}"
        print(
            f"{row['cell']:<11}{row['precision']:<10}{row['way']:<7}{shape:<22}{spread_in_words(row):<24}"
            f"{graphs[:40]:<12}{against_plain(row, rows)}"
        )


def choose(rows: list[dict[str, Any]], device: str) -> None:
    """Write the fastest way of each shape where cuDNN and Triton both can."""
    chosen = []
    for row in rows:
        if row["way"] != "cudnn":
            continue
        other = [one for one in rows if one["way"] == "triton" and one["cell"] == row["cell"]]
        other = [one for one in other if all(one[k] == row[k] for k in ("precision", "steps", "batch", "width"))]
        faster = bool(other) and our_seconds(other[0]) < our_seconds(row)
        key = {name: row[name] for name in ("cell", "precision", "batch", "width")}
        chosen.append({**key, "fastest": "triton" if faster else "cudnn"})
    told = {"about": f"Written by benchmarks/gpu_recurrent.py --choose; measured on {device}.", "rows": chosen}
    choosing.TABLE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure what is missing, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=9, help="stop after so many; call again to go on")
    parser.add_argument("--choose", action="store_true", help="write the fastest ways where the product reads them")
    asked = parser.parse_args()
    device = gpu_or_exit()
    torch.backends.cudnn.allow_tf32 = False  # float32 against float32
    table = Rows("gpu_recurrent", "python benchmarks/gpu_recurrent.py", asked.minutes, device=device)
    measure(table, asked.rounds)
    show(table.rows)
    if asked.choose:
        choose(table.rows, device)


if __name__ == "__main__":
    main()
