"""Checkpoints: `checkpoints/step-N/`, committed whole or not at all, verified before they are read. No pickle.

model.safetensors    the weights to use (the moving average, where one is kept)
optim.safetensors    what training needs beside: optimiser, raw weights, carried state, random states
progress.json        step, tokens, seconds, position in the data, schedule, validation loss
manifest.json        sizes and SHA-256 of the others, written last
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from glassloom.errors import RunError, notice
from glassloom.runs.storage import TEMPORARY, new_folder, read_json, sha256, sync_folder, to_json, write_durably

FOLDER = "checkpoints"
MODEL, OPTIMIZER, PROGRESS, MANIFEST = "model.safetensors", "optim.safetensors", "progress.json", "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """One committed checkpoint; reading it verifies it."""

    path: Path

    @property
    def step(self) -> int:
        return int(self.path.name.removeprefix("step-"))

    def fault(self) -> str | None:
        """Why the checkpoint cannot be used, or None: every file must have the manifest's size and SHA-256."""
        try:
            listed = read_json(self.path / MANIFEST)["files"]
            for name in (MODEL, OPTIMIZER, PROGRESS):
                content = (self.path / name).read_bytes()
                if len(content) != listed[name]["bytes"]:
                    return f"{name} has {len(content):,} bytes instead of {listed[name]['bytes']:,}"
                if sha256(content) != listed[name]["sha256"]:
                    return f"{name} was altered"
        except (RunError, OSError, KeyError, TypeError) as error:
            return f"it is incomplete ({error})"
        return None

    def progress(self) -> dict[str, Any]:
        """Where training stood."""
        return read_json(self.path / PROGRESS)

    def weights(self) -> dict[str, Tensor]:
        """The model's weights, by parameter name."""
        return self._tensors(MODEL)

    def training_state(self) -> dict[str, Tensor]:
        """The tensors that training needs beside the weights, by name."""
        return self._tensors(OPTIMIZER)

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return load((self.path / name).read_bytes())
        except (OSError, SafetensorError) as error:
            raise RunError(f"{self.path / name} cannot be read: {error}", "a whole checkpoint") from None


def commit(
    run: Path, step: int, weights: Mapping[str, Tensor], state: Mapping[str, Tensor], progress: Mapping[str, Any]
) -> Checkpoint:
    """Write a checkpoint so that it is there whole, or not there.

    Raises:
        StorageError: the disk is full or cannot be written; earlier checkpoints stay.
    """
    final = run / FOLDER / f"step-{step}"
    contents = {MODEL: save(contiguous(weights)), OPTIMIZER: save(contiguous(state)), PROGRESS: to_json(progress)}
    with new_folder(final) as folder:
        for name, content in contents.items():
            write_durably(folder / name, content)
        listed = {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in contents.items()}
        write_durably(folder / MANIFEST, to_json({"files": listed}))
        if final.exists():  # a damaged one, or the same step committed twice
            shutil.rmtree(final)
    return Checkpoint(final)


def contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors wants them: on the CPU, contiguous, none sharing memory with another."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def checkpoints(run: Path) -> list[Checkpoint]:
    """All checkpoints of a run, the newest first; whether they are whole is not looked at."""
    folder = run / FOLDER
    found = [Checkpoint(p) for p in folder.glob("step-*") if p.name.removeprefix("step-").isdecimal()]
    return sorted(found, key=lambda checkpoint: -checkpoint.step)


def newest_valid(found: list[Checkpoint]) -> Checkpoint:
    """The first whole checkpoint of a list; stepping over a damaged one is said.

    Raises:
        RunError: none is whole.
    """
    for checkpoint in found:
        fault = checkpoint.fault()
        if fault is None:
            return checkpoint
        notice(f"Checkpoint {checkpoint.path.name} is passed over: {fault}; the one before it is used.")
    where = found[0].path.parent if found else "The run"
    raise RunError(f"{where} holds no whole checkpoint", "at least one", "train the run again under another name")


def prune(run: Path, best_step: int | None, newest: int) -> None:
    """Delete all checkpoints but the best and the newest ones (`newest` = 0 keeps all), and what kills left behind."""
    folder = run / FOLDER
    for left in folder.glob(f"{TEMPORARY}*"):
        shutil.rmtree(left, ignore_errors=True)
    if not newest:
        return
    for checkpoint in checkpoints(run)[newest:]:
        if checkpoint.step != best_step:
            # The manifest goes first: half-deleted must not look whole.
            (checkpoint.path / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(checkpoint.path, ignore_errors=True)
    sync_folder(folder)


def load_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a model whose parameters must have just these names and shapes.

    Raises:
        RunError: a name or a shape differs.
    """
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    given = {name: tuple(value.shape) for name, value in weights.items()}
    if expected != given:
        unlike = sorted(set(expected.items()) ^ set(given.items()))[0][0]
        raise RunError(
            f"The weights in {where} do not fit the model: {unlike} is {given.get(unlike, 'missing')}",
            f"shape {expected.get(unlike, 'none of that name')}",
        )
    model.load_state_dict(dict(weights))
