"""Runs for the doctor's tests: a really trained one, whose records are then replaced by curves with known numbers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassloom.doctor.recorded import History, recorded
from glassloom.runs import Run
from trainings import small, train


def trained(corpus: Any, root: Path, name: str = "run", **changes: Any) -> Run:
    """A run of a few steps, whose folder is whole."""
    settings = {"steps": 8, "batch_size": 4, "sequence_length": 8, **changes}
    return train(corpus, root, name, **small(**settings)).run


def rewritten(
    run: Run,
    losses: Sequence[float],
    valid: Sequence[float] = (),
    *,
    lr: Callable[[int], float] = lambda step: 1e-2,
    clip: float = 1.0,
    norm: float = 0.5,
    tokens: int = 32,
    steps_per_epoch: int = 1000,
) -> Run:
    """The run with other metrics: a line a step, evaluations spread evenly, the last one at the end."""
    lines: list[dict[str, Any]] = []
    for place, loss in enumerate(losses):
        step = place + 1
        lines.append({
            "event": "train", "step": step, "epoch": step / steps_per_epoch, "tokens": tokens * step,
            "seconds": 0.01 * step, "progress": step / len(losses), "train_nats": float(loss), "lr": lr(step),
            "norm_before": norm, "norm_after": min(norm, clip), "batch_nats": float(loss), "smoothed_nats": float(loss),
        })  # fmt: skip
    for place, loss in enumerate(valid):
        step = max(1, round(len(losses) * (place + 1) / len(valid)))
        found = {"event": "evaluation", "step": step, "epoch": step / steps_per_epoch, "tokens": tokens * step}
        lines.append({**found, "seconds": 0.01 * step, "train_nats": None, "valid_nats": float(loss)})
    (run.path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run.path / "layers.jsonl").unlink(missing_ok=True)
    for checkpoint in run.checkpoints():
        progress = checkpoint.path / "progress.json"
        told = json.loads(progress.read_text())
        told["batches"]["steps_per_epoch"] = steps_per_epoch
        progress.write_text(json.dumps(told))
        seal(checkpoint.path)
    return Run(run.path)


def seal(checkpoint: Path) -> None:
    """Write the manifest anew after a file of a checkpoint was changed."""
    import hashlib

    manifest = checkpoint / "manifest.json"
    told = json.loads(manifest.read_text())
    for name in told["files"]:
        content = (checkpoint / name).read_bytes()
        told["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.write_text(json.dumps(told))


def facts(run: Run, **changes: Any) -> Run:
    """The run with other facts of its text."""
    file = run.path / "corpus.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return Run(run.path)


def with_baselines(run: Run, **nats: float) -> Run:
    """The run with stored baselines, in nats a token."""
    return facts(run, baselines={name: {"nats_per_token": value} for name, value in nats.items()})


def noisy(curve: np.ndarray, scatter: float = 0.02, seed: int = 0) -> np.ndarray:
    """A curve with independent noise."""
    return curve + np.random.default_rng(seed).normal(0, scatter, len(curve))


def history(run: Run) -> History:
    """What the run recorded."""
    return recorded(run)
