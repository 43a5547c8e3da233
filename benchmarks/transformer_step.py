"""One training step of the transformer against nanoGPT's, timed alternately in the same process.

    python benchmarks/transformer_step.py --nanogpt DIR [--rounds 7]

DIR holds nanoGPT (github.com/karpathy/nanoGPT); its `model.py` is imported as it is. A step is forward, backward, clip
and AdamW: nanoGPT's as its `train.py` has it for a CPU (float32; eager, and compiled, which is its default), ours as
`glassloom train` makes it (`training/loop.py`, on the same weights, which give the same logits). Beside them nanoGPT
under bfloat16 autocast, which it does not use on a CPU, to tell how much of our gain is the precision. The share is
that of the measured peak of a large product in our precision. Then our own step is compiled (`--compile on`).

A second table says what keeping freed memory (`keep_freed_memory` in training/machine.py) does to our step: seconds
and page faults with it and without it, each in a process of its own, in turns.
"""

import argparse
import contextlib
import importlib.util
import io
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from glassloom.config import Config
from glassloom.data import load_text
from glassloom.models.summary import training_flops
from glassloom.training.loop import one_step
from glassloom.training.machine import prepare_machine
from glassloom.training.resolve import resolve
from glassloom.training.state import TrainingState
from measuring import compared, in_turns, seconds_of, spread_in_words, write

VOCABULARY = 65
CLIP, LR, DECAY = 1.0, 1e-3, 0.1


@dataclass(frozen=True)
class Model:
    """A shape that both sides build."""

    name: str
    layers: int
    width: int
    heads: int
    context: int
    batch: int
    bias: bool
    """Also: an output layer of its own, with a bias; else the embedding's weight."""


MODELS = (Model("nanoGPT's CPU model", 4, 128, 4, 64, 12, False), Model("3.61M parameters", 8, 192, 8, 128, 64, True))
TARGETS = {"eager": 1.9, "compiled": 1.7}


def ours(model: Model, precision: str) -> TrainingState:
    """A training as `glassloom train` sets it up, before its first step."""
    biases = ("attention_bias", "feedforward_bias", "norm_bias", "output_bias")
    given = {
        "model": "transformer", "layers": model.layers, "width": model.width, "heads": model.heads,
        "context": model.context, "batch_size": model.batch, "positions": "learned", "tied": not model.bias,
        "optimizer": "adamw", "clip_norm": CLIP, "lr": LR, "weight_decay": DECAY, "batching": "windows",
        "precision": precision, "device": "cpu", "steps": 1_000_000, **dict.fromkeys(biases, model.bias),
    }  # fmt: skip
    characters = "".join(chr(33 + place) for place in range(VOCABULARY))
    corpus = load_text(characters * 2000)
    config = resolve(Config.from_flat(given), corpus, given)
    prepare_machine(config.train)
    return TrainingState(config, corpus)


def theirs(folder: Path, model: Model) -> tuple[nn.Module, torch.optim.Optimizer]:
    """nanoGPT's model and its optimizer."""
    spec = importlib.util.spec_from_file_location("nanogpt_model", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["nanogpt_model"] = module
    spec.loader.exec_module(module)
    sizes = {"n_layer": model.layers, "n_head": model.heads, "n_embd": model.width, "block_size": model.context}
    with contextlib.redirect_stdout(io.StringIO()):
        built = module.GPT(module.GPTConfig(vocab_size=VOCABULARY, dropout=0.0, bias=model.bias, **sizes))
        if model.bias:
            built.lm_head = nn.Linear(model.width, VOCABULARY)
        return built, built.configure_optimizers(DECAY, LR, (0.9, 0.95), "cpu")


def same_weights(mine: nn.Module, other: nn.Module) -> None:
    """Give nanoGPT's model our weights, and see that it computes the same."""
    named = dict(mine.named_parameters())
    places = {"transformer.wte": "embedding", "transformer.wpe": "positions", "transformer.ln_f": "final_norm"}
    places["lm_head"] = "output"
    for index in range(len(other.transformer.h)):  # type: ignore[union-attr, arg-type]
        theirs_at, ours_at = f"transformer.h.{index}", f"layers.{index}"
        places |= {f"{theirs_at}.ln_{number + 1}": f"{ours_at}.norms.{number}" for number in (0, 1)}
        places[f"{theirs_at}.attn.c_attn"] = f"{ours_at}.attention.0.query_key_value"
        places[f"{theirs_at}.attn.c_proj"] = f"{ours_at}.attention.0.output"
        places[f"{theirs_at}.mlp.c_fc"] = f"{ours_at}.feedforward.inner"
        places[f"{theirs_at}.mlp.c_proj"] = f"{ours_at}.feedforward.output"
    with torch.no_grad():
        for name, weights in other.named_parameters():
            place, _, kind = name.rpartition(".")
            weights.copy_(named[f"{places[place]}.{kind}"])
        tokens = torch.randint(VOCABULARY, (2, other.config.block_size))  # type: ignore[union-attr, arg-type]
        torch.testing.assert_close(mine(tokens)[0], other(tokens, tokens)[0], rtol=1e-3, atol=1e-4)


def their_step(
    forward: Callable[..., Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    tokens: torch.Tensor,
    precision: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> None:
    """A step as nanoGPT's train.py makes it, on a batch that is at hand."""
    for group in optimizer.param_groups:
        group["lr"] = LR
    with precision():
        _, loss = forward(tokens, tokens)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    loss.item()


def our_step(state: TrainingState) -> None:
    """A step as the product makes it, the next batch included."""
    one_step(state, 0.0, "steps", 1_000_000)


def peak(dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large product, the best of several."""
    a = torch.randn(1536, 1536).to(dtype)
    return max(2 * 1536**3 / seconds_of(partial(torch.mm, a, a), least=0.05) for _ in range(8))


def peers(folder: Path, model: Model, state: TrainingState) -> Iterator[tuple[str, Callable[[], None]]]:
    """nanoGPT's steps, by name."""
    tokens = torch.randint(VOCABULARY, (model.batch, model.context))
    half = partial(torch.autocast, "cpu", dtype=torch.bfloat16)
    for name in ("eager", "compiled", "eager under bfloat16"):
        other, optimizer = theirs(folder, model)
        same_weights(state.model, other)
        forward = torch.compile(other) if name == "compiled" else other
        precision = half if "bfloat16" in name else nullcontext
        yield name, partial(their_step, forward, other, optimizer, tokens, precision)


def measure(folder: Path, rounds: int) -> list[dict[str, Any]]:
    """Each of our precisions against each of nanoGPT's ways, for both models."""
    rows: list[dict[str, Any]] = []
    for model in MODELS:
        states = {name: ours(model, name) for name in ("float32", "bfloat16")}
        flops = training_flops(states["float32"].model, model.context) * model.batch * model.context
        for way, peer in peers(folder, model, states["float32"]):
            for precision, state in states.items():
                mine = partial(our_step, state)
                least = 0.3
                pairs = in_turns(partial(seconds_of, mine, least), partial(seconds_of, peer, least), rounds, warm_up=2)
                found = compared(pairs)
                seconds = statistics.median(mine for mine, _ in pairs)
                target = TARGETS.get(way) if precision == "bfloat16" else None
                rows.append({
                    "name": f"{model.name}, {precision}, against nanoGPT {way}", "target": target,
                    "measured": found["ratio"], "unit": "times as fast",
                    "met": None if target is None else found["ratio"] >= target, **found,
                    "share_of_peak": flops / seconds / peak(getattr(torch, precision)),
                })  # fmt: skip
                print_row(rows[-1])
    return rows


def compiling(rounds: int) -> list[dict[str, Any]]:
    """Our step with its passes compiled against our step as it is, and the seconds that compiling took."""
    rows = []
    for model in MODELS:
        compiled, plain = ours(model, "bfloat16"), ours(model, "bfloat16")
        torch._inductor.config.force_disable_caches = True  # else an earlier process's kernels are found
        started = time.perf_counter()
        compiled.hidden = torch.compile(compiled.model.hidden)
        our_step(compiled)
        spent = time.perf_counter() - started
        timed = [partial(seconds_of, partial(our_step, state), 0.3) for state in (compiled, plain)]
        found = compared(in_turns(*timed, rounds, warm_up=2))
        rows.append({
            "name": f"{model.name}, bfloat16, ours compiled against ours", "target": None, "measured": found["ratio"],
            "unit": "times as fast", "met": None, **found, "seconds_of_compiling": spent,
        })  # fmt: skip
        print(f"{rows[-1]['name']:<75} {spread_in_words(found)}   after {spent:.0f} s of compiling", flush=True)
    return rows


def print_row(row: dict[str, Any]) -> None:
    """One line of the table."""
    aim = "" if row["target"] is None else f"   asked for {row['target']}{'' if row['met'] else ', missed'}"
    print(f"{row['name']:<75} {spread_in_words(row)}   {row['share_of_peak']:.0%} of the peak{aim}", flush=True)


def steps_alone(model: Model, seconds: float = 2.0) -> dict[str, float]:
    """Seconds and page faults of our step in bfloat16 in this process."""
    state = ours(model, "bfloat16")
    step = partial(our_step, state)
    seconds_of(step, seconds / 2)
    before, first = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, state.progress.step
    spent = seconds_of(step, seconds)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return {"seconds": spent, "faults": faults / (state.progress.step - first)}


def memory(rounds: int = 3) -> list[dict[str, Any]]:
    """Our step in bfloat16 with freed memory kept, and as the C library does it by itself."""
    rows = []
    for model in MODELS:
        runs: dict[str, list[dict[str, float]]] = {"kept": [], "given back": []}

        def alone(how: str, model: Model = model, runs: Any = runs) -> float:
            environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
            environment |= {"MALLOC_ARENA_MAX": "64"} if how == "given back" else {}
            command = [sys.executable, __file__, "--alone", model.name]
            said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
            runs[how].append(json.loads(said))
            return float(runs[how][-1]["seconds"])

        found = compared(in_turns(partial(alone, "kept"), partial(alone, "given back"), rounds, warm_up=0))
        faults = {how: statistics.median(run["faults"] for run in those) for how, those in runs.items()}
        rows.append({
            "name": f"{model.name}, bfloat16, freed memory kept against given back", "target": None,
            "measured": found["ratio"], "unit": "times as fast", "met": None, **found, "faults_a_step": faults,
        })  # fmt: skip
        told = ", ".join(f"{how} {count:,.0f}" for how, count in faults.items())
        print(f"{rows[-1]['name']:<75} {spread_in_words(found)}   page faults a step: {told}", flush=True)
    return rows


def main(nanogpt: Path, rounds: int = 7) -> None:
    """Measure, print, write JSON."""
    rows = measure(nanogpt, rounds) + compiling(rounds) + memory()
    command = "python benchmarks/transformer_step.py --nanogpt DIR"
    write("transformer_step", command, rows, threads=torch.get_num_threads())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, help="nanoGPT's folder")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--alone", metavar="MODEL", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        chosen = next(model for model in MODELS if model.name == given.alone)
        print(json.dumps(steps_alone(chosen)))
    elif given.nanogpt is None or not (given.nanogpt / "model.py").is_file():
        parser.error("--nanogpt must name a folder with nanoGPT's model.py")
    else:
        main(given.nanogpt, given.rounds)
