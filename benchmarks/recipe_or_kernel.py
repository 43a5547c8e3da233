"""How much of the gain over nanoGPT's CPU recipe is recipe, and how much kernel.

    python benchmarks/recipe_or_kernel.py --texts DIR --nanogpt DIR [--search]

Trainings of tinyshakespeare, each scored on the held-out tenth in windows of 64: `--fast` as it is; the same
recipe with our own layers in plain torch operations; the same recipe on `nn.GRU` in a plain loop of torch's built-ins;
nanoGPT as documented; nanoGPT with its settings tuned by a short search. `--search` makes that search anew, on
the novel and never on tinyshakespeare: learning rates and depths first, then the fewest iterations that reach there
what its documented 2,000 reach. Seconds are of training alone; the first three run in this process, nanoGPT's are the
median step of its own log times its iterations.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import glassloom
from glassloom.kernels import native
from glassloom.training.machine import keep_freed_memory
from glassloom.training.suited import fast
from measuring import RESULTS, write
from time_to_quality import NANOGPT, ours, prepare_theirs, theirs

TUNED = ("learning_rate", "min_lr", "warmup_iters", "n_layer", "max_iters", "lr_decay_iters", "eval_interval")
ITERATIONS = (200, 300, 400, 500, 700, 1000, 1400)


def built_in(text: str, windows: int = 64) -> dict[str, float]:
    """`--fast`'s recipe on nn.GRU: the same sizes, batches, optimizer and course of the learning rate."""
    recipe = fast({})
    keep_freed_memory()  # on both sides: the allocator is no part of the comparison
    torch.manual_seed(0)
    symbols = sorted(set(text))
    index = {symbol: number for number, symbol in enumerate(symbols)}
    ids = torch.tensor([index[symbol] for symbol in text])
    cut = int(0.9 * len(ids))
    train, held = ids[:cut], ids[cut - 1 :]
    model = BuiltIn(len(symbols), recipe["embedding"], recipe["width"], recipe["layers"])
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe["lr"], betas=(0.9, 0.99), fused=True)
    rows, length, steps = recipe["batch_size"], recipe["sequence_length"], recipe["steps"]
    started = time.perf_counter()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = recipe["lr"] * (1 - step / steps)
        places = torch.randint(len(train) - length, (rows,))[:, None] + torch.arange(length + 1)
        batch = train[places]
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), recipe["clip_norm"])
        optimizer.step()
    seconds = time.perf_counter() - started
    count = (len(held) - 1) // windows
    with torch.no_grad():
        logits = model(held[: count * windows].view(count, windows))
        nats = float(F.cross_entropy(logits.flatten(0, 1), held[1 : count * windows + 1]))
    return {"training_seconds": seconds, "windows_64": nats, "steps": steps}


class BuiltIn(nn.Module):
    """Embedding, nn.GRU, linear, with the recipe's initial weights: gates orthogonal, input Xavier-uniform."""

    def __init__(self, vocabulary: int, embedding: int, width: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding)
        self.layers = nn.GRU(embedding, width, layers, batch_first=True)
        self.output = nn.Linear(width, vocabulary)
        for name, weight in self.layers.named_parameters():
            if name.startswith("bias"):
                nn.init.zeros_(weight)
            else:
                fill = nn.init.orthogonal_ if name.startswith("weight_hh") else nn.init.xavier_uniform_
                for gate in weight.data.split(width):
                    fill(gate)
        nn.init.zeros_(self.output.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.output(self.layers(self.embedding(tokens))[0])
        return logits


def in_plain_torch(text: Path) -> dict[str, Any]:
    """`--fast` in this process without the compiled kernels, in float32."""
    with native.using(None), tempfile.TemporaryDirectory() as runs:
        result = glassloom.train(
            text, fast=True, precision="float32", runs=runs, name="one", on_event=lambda event: None
        )
        nats = glassloom.evaluate(result.run, windows=64).figures.nats_per_token
        return {"training_seconds": result.seconds, "windows_64": nats, "steps": result.steps}


def tuned(learning_rate: float, layers: int, iterations: int) -> dict[str, Any]:
    """nanoGPT's flags for a shorter run: a higher rate that falls to a hundredth, a short rise."""
    return {
        "learning_rate": learning_rate, "min_lr": learning_rate / 100, "warmup_iters": 20, "n_layer": layers,
        "max_iters": iterations, "lr_decay_iters": iterations, "eval_interval": iterations,
    }  # fmt: skip


def search(folder: Path, novel: Path) -> list[dict[str, Any]]:
    """Every training that was tried on the novel; the last one is the choice."""
    prepare_theirs(folder, novel)
    tried = [{**theirs(folder, novel), "max_iters": NANOGPT["max_iters"]}]

    def attempt(rate: float, layers: int, iterations: int) -> dict[str, Any]:
        flags = tuned(rate, layers, iterations)
        tried.append({**theirs(folder, novel, **flags), **flags})
        print(json.dumps(tried[-1]), file=sys.stderr, flush=True)
        return tried[-1]

    first = [attempt(rate, 4, 500) for rate in (2e-3, 4e-3, 8e-3)] + [attempt(rate, 2, 900) for rate in (4e-3, 8e-3)]
    best = min(first, key=lambda one: one["windows_64"])
    for iterations in ITERATIONS:
        if attempt(best["learning_rate"], best["n_layer"], iterations)["windows_64"] <= tried[0]["windows_64"]:
            break
    return tried


def row(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; the loss goes with the seconds."""
    return {
        "name": f"{name} ({found['windows_64']:.3f} nats)", "target": None, "measured": found["training_seconds"],
        "unit": "s", "met": None, "nats": found["windows_64"],
    }  # fmt: skip


def main(texts: Path, nanogpt: Path, anew: bool = False) -> None:
    """Measure, print, write JSON."""
    folder, text = nanogpt.resolve(), (texts / "shakespeare.txt").resolve()
    path = RESULTS / "recipe_or_kernel.json"
    if anew or not path.exists():
        tried = search(folder, (texts / "great_expectations.txt").resolve())
    else:
        tried = json.loads(path.read_text())["search"]
    chosen = {name: value for name, value in tried[-1].items() if name in TUNED}
    prepare_theirs(folder, text)
    found = {}
    for name, flags in (("nanoGPT as documented", {}), ("nanoGPT tuned", chosen)):
        told = theirs(folder, text, **flags)
        count = int(flags.get("max_iters", NANOGPT["max_iters"]))
        found[name] = {**told, "training_seconds": told["step_seconds"] * count, **flags}
        print(name, json.dumps(found[name]), file=sys.stderr, flush=True)
    content = text.read_text(encoding="utf-8")
    built_in(content)  # warm
    several = [built_in(content) for _ in range(3)]
    found["the recipe on nn.GRU"] = {
        **several[0], "training_seconds": statistics.median(one["training_seconds"] for one in several)
    }  # fmt: skip
    found["the recipe on our layers in plain torch"] = in_plain_torch(text)
    found["--fast"] = ours(text, "--fast")
    rows = [row(name, one) for name, one in found.items()]
    for line in rows:
        print(f"{line['name']:<60} {line['measured']:7.2f} s")
    write(
        "recipe_or_kernel", "python benchmarks/recipe_or_kernel.py --texts DIR --nanogpt DIR", rows,
        search=tried, trainings=found,
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=Path, required=True)
    parser.add_argument("--nanogpt", type=Path, required=True)
    parser.add_argument("--search", action="store_true")
    asked = parser.parse_args()
    main(asked.texts, asked.nanogpt, asked.search)
