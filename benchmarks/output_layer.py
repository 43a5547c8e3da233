"""The output layer with its loss, and the whole training step of Penn Treebank's setting 3.2a, against torch's own.

    python benchmarks/output_layer.py [--rounds 7]

The layer: 4,480 rows of 512 entries, 10,000 words, forward and backward, against `F.linear` and `F.cross_entropy` in
float32; and the memory that each takes at its highest beyond what it is given, in a process of its own. The step:
embedding 200, two layers of `nn.GRU` of 512, output, clipping, Adam, 128 rows of 35 words, against ours in both
precisions. A ratio above 1 means that ours is faster; the peer is always in float32, under the same allocator.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassloom.kernels import native
from glassloom.kernels.output import weighted_nats
from glassloom.models import architecture, build
from glassloom.training.clipping import clip_gradients
from measuring import compared, in_turns, seconds_of, spread_in_words, write

ROWS, WIDTH, WORDS = 4480, 512, 10_000
STEPS, BATCH, EMBEDDING = 35, 128, 200
TARGETS = {"layer": {"float32": 1.2, "bfloat16": 2.1}, "step": {"float32": None, "bfloat16": 2.0}}
MEGABYTES = 150
"""The most that the layer may take beyond what it is given."""
PRECISIONS = ["float32", "bfloat16"] if str(native.chosen()).endswith("bf16") else ["float32"]


def layer() -> tuple[Callable[[bool], None], Callable[[], None]]:
    """One forward and backward pass of ours (rounded to bfloat16 or not) and of torch's."""
    torch.manual_seed(0)
    hidden = torch.randn(ROWS, WIDTH, requires_grad=True)
    weight = (torch.randn(WORDS, WIDTH) / WIDTH**0.5).requires_grad_()
    bias, targets = torch.zeros(WORDS, requires_grad=True), torch.randint(WORDS, (ROWS,))
    counts = torch.full((ROWS,), 1 / ROWS)

    def clear() -> None:
        hidden.grad = weight.grad = bias.grad = None

    def ours(bfloat16: bool) -> None:
        clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            loss = weighted_nats(hidden, weight, bias, targets, counts)
        loss.backward()  # type: ignore[no-untyped-call]

    def theirs() -> None:
        clear()
        F.cross_entropy(F.linear(hidden, weight, bias), targets).backward()  # type: ignore[no-untyped-call]

    return ours, theirs


class BuiltIn(nn.Module):
    """The same model of torch's parts."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.recurrent = nn.Embedding(WORDS, EMBEDDING), nn.GRU(EMBEDDING, WIDTH, 2)
        self.output = nn.Linear(WIDTH, WORDS)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.output(self.recurrent(self.embedding(tokens.t()))[0])
        return logits


def whole_step() -> tuple[Callable[[bool], None], Callable[[], None]]:
    """One update of ours and of the same model on torch's built-in layers."""
    peer = BuiltIn()
    settings = architecture("gru").Settings(layers=2, width=WIDTH, embedding=EMBEDDING)
    model = build(settings, WORDS, torch.Generator().manual_seed(0))
    parameters, others = list(model.parameters()), list(peer.parameters())
    optimizer = torch.optim.Adam(parameters, lr=1e-3, fused=True)
    their_optimizer = torch.optim.Adam(others, lr=1e-3, fused=True)
    tokens, targets = (torch.randint(WORDS, (BATCH, STEPS)) for _ in range(2))

    def ours(bfloat16: bool) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            hidden, _ = model.hidden(tokens)
            loss = model.weighted_nats(hidden, targets, torch.full(targets.shape, 1 / targets.numel()))
        loss.backward()  # type: ignore[no-untyped-call]
        clip_gradients(parameters, norm=1.0, value=None)
        optimizer.step()

    def theirs() -> None:
        their_optimizer.zero_grad()
        loss = F.cross_entropy(peer(tokens).flatten(0, 1), targets.t().flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(others, 1.0)
        their_optimizer.step()

    return ours, theirs


def memory(whose: str) -> float:
    """Megabytes at the highest beyond what stood before the pass, of a process that makes one pass."""
    found = subprocess.run([sys.executable, __file__, "--memory", whose], capture_output=True, text=True, check=True)
    return float(found.stdout)


def tell_memory(whose: str) -> None:
    """In a process of its own: one pass, and what it took."""
    ours, theirs = layer()
    reset = Path("/proc/self/clear_refs")
    if reset.exists():
        reset.write_text("5")  # the highest so far is what is resident now, and not what building the layer took
    before = highest()
    if whose == "torch":
        theirs()
    else:
        ours(whose == "bfloat16")
    print((highest() - before) / 1024)


def highest() -> int:
    """Resident kilobytes at the highest so far; of this process only, where the system tells that."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def measure(rounds: int) -> list[dict[str, Any]]:
    """Both tables, then memory."""
    rows: list[dict[str, Any]] = []
    for name, made in (("layer", layer), ("step", whole_step)):
        ours, theirs = made()
        for precision in PRECISIONS:
            mine = partial(ours, precision == "bfloat16")
            pairs = in_turns(lambda mine=mine: seconds_of(mine), lambda theirs=theirs: seconds_of(theirs), rounds)
            target = TARGETS[name][precision]
            row: dict[str, Any] = {"name": f"output {name}, {precision}", "unit": "times", "target": target}
            row |= {**compared(pairs), "better": "higher"}
            rows.append({**row, "measured": row["ratio"], "met": None if target is None else row["ratio"] >= target})
    theirs_mb = memory("torch")
    for precision in PRECISIONS:
        megabytes = memory(precision)
        rows.append(
            {"name": f"memory of the output layer, {precision}", "unit": "MB", "target": MEGABYTES, "better": "lower",
             "measured": megabytes, "met": megabytes <= MEGABYTES, "torch": theirs_mb}
        )  # fmt: skip
    return rows


def main(rounds: int = 7) -> None:
    """Measure, print, write JSON."""
    rows = measure(rounds)
    for row in rows:
        found = spread_in_words(row) if "ratio" in row else f"{row['measured']:.0f} MB (torch {row['torch']:.0f})"
        print(f"{row['name']:<40} {found:<26} asked {row['target']}")
    write("output_layer", "python benchmarks/output_layer.py", rows, threads=torch.get_num_threads())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memory", choices=["torch", "float32", "bfloat16"], help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.memory:
        tell_memory(asked.memory)
    else:
        main(asked.rounds)
