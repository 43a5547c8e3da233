"""Tiny trainings for the tests: small texts, small settings, and what a run holds in a form that can be compared."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from glassloom.config import Config
from glassloom.data import DataSettings, load_corpus, load_text
from glassloom.data.corpus import Corpus
from glassloom.runs import Run
from glassloom.training import Stepped, TrainingResult
from glassloom.training import train as start
from glassloom.training.loop import one_step
from glassloom.training.resolve import resolve
from glassloom.training.state import TrainingState
from glassloom.training.workers import ALONE, Workers

SMALL = {"width": 8, "layers": 1, "batch_size": 4, "sequence_length": 8, "threads": 1, "eval_tokens": 100}
SMALL |= {"sample_length": 4, "schedule": "constant", "lr": 1e-2}


def small(model: str = "gru", **changes: Any) -> dict[str, Any]:
    """Settings of a training that takes a fraction of a second."""
    own = {"heads": 2, "context": 8} if model == "transformer" else {}
    return {"model": model, **SMALL, **own, **changes}


def stream(text: str, characters: int = 3000) -> Corpus:
    """A small text as one stream of characters."""
    return load_text(text[:characters])


def language(name: str = "ndfa", samples: int = 120) -> Corpus:
    """A small sample of a formal language: padded sequences."""
    return load_corpus(name, DataSettings(samples=samples))


def train(corpus: Any, root: Path, name: str = "run", *, resume: bool = False, **options: Any) -> TrainingResult:
    """Train without the process that computes baselines; `options` are those of `train`, and settings."""
    known = {key: options.pop(key) for key in ("stop", "on_event", "replace", "start_from", "shard") if key in options}
    return start(corpus, options, root=root, name=name, resume=resume, with_baselines=False, **known)


def stop_at(step: int) -> tuple[Callable[[Any], None], Callable[[], bool]]:
    """What to give as `on_event` and `stop` so that training is interrupted after that step."""
    seen = [0]

    def watch(event: Any) -> None:
        seen[0] = max(seen[0], getattr(event, "step", 0))

    return watch, lambda: seen[0] >= step


TIMES = ("seconds", "beside")
"""What no two trainings have alike."""


def everything(run: Run) -> dict[str, Any]:
    """All that training left: weights, what is beside them, progress and metrics, without times."""
    newest = run.newest()
    progress = {key: value for key, value in newest.progress().items() if key not in TIMES}
    metrics = [{key: value for key, value in line.items() if key not in TIMES} for line in run.metrics()]
    best = run.best()
    return {
        "step": newest.step, "progress": progress, "metrics": metrics, "samples": run.samples(),
        "weights": newest.weights(), "state": newest.training_state(),
        "best step": best.step, "best": best.weights(), "checkpoints": [found.step for found in run.checkpoints()],
    }  # fmt: skip


def differences(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """The names of what is not the same, to the last bit."""
    found = []
    for name, value in one.items():
        other = two[name]
        if isinstance(value, dict) and any(isinstance(part, torch.Tensor) for part in value.values()):
            if value.keys() != other.keys():
                found.append(f"{name}: {sorted(value.keys() ^ other.keys())}")
            else:
                found += [f"{name} {key}" for key, part in value.items() if not torch.equal(part, other[key])]
        elif value != other:
            found.append(name)
    return found


def command(*arguments: str, folder: Path, **options: Any) -> "subprocess.Popen[str]":
    """A `glassloom` command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "glassloom", *arguments], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def prepared(corpus: Corpus, workers: Workers = ALONE, **settings: Any) -> TrainingState:
    """A training before its first step."""
    return TrainingState(resolve(Config.from_flat(settings), corpus, settings), corpus, workers)


def steps(state: TrainingState, count: int) -> list[Stepped]:
    """Make so many updates at the full learning rate."""
    return [one_step(state, 0.0, "steps", 1000) for _ in range(count)]


def assert_same_weights(one: torch.nn.Module, two: torch.nn.Module, tolerance: float) -> None:
    """Every parameter of two models is the same within so much."""
    for (name, weights), other in zip(one.named_parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(
            weights, other, rtol=0, atol=tolerance, msg=lambda text, name=name: f"{name}: {text}"
        )
