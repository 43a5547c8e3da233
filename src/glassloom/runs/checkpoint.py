"""Checkpoints: `checkpoints/step-N/`, committed whole or not at all, verified before they are read. No pickle.

model.safetensors    the weights to use (the moving average, where one is kept)
optim.safetensors    what training needs beside: optimiser, raw weights, carried state, random states
progress.json        step, tokens, seconds, position in the data, schedule, validation loss
model/, optim/       shards instead of the first, and of the moments, where workers share the weights; see shards.py
manifest.json        sizes and SHA-256 of the others, written last
"""

import re
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from glassloom.data.batches import epoch_of
from glassloom.errors import RunError, SettingError, notice
from glassloom.models import build
from glassloom.models.settings import ModelSettings
from glassloom.runs.documents import CHECKPOINTS, read_json, to_json
from glassloom.runs.shards import MODEL_SHARDS, OPTIMIZER_SHARDS, is_sharded, read_shards, shard_shapes
from glassloom.storage import file_sha256, new_folder, sha256, storing, sweep, sync_folder, write_durably

Shapes = dict[str, tuple[int, ...]]
MODEL, OPTIMIZER, PROGRESS, MANIFEST = "model.safetensors", "optim.safetensors", "progress.json", "manifest.json"
SHARD = re.compile(rf"({MODEL_SHARDS}|{OPTIMIZER_SHARDS})/shard-[0-9a-z-]+\.safetensors")


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
            shards = [name for name in listed if SHARD.fullmatch(name)]
            for name in (*(shards if is_sharded(self.path) else [MODEL]), OPTIMIZER, PROGRESS):
                size = (self.path / name).stat().st_size
                if size != listed[name]["bytes"]:
                    return f"{name} has {size:,} bytes instead of {listed[name]['bytes']:,}"
                if file_sha256(self.path / name) != listed[name]["sha256"]:
                    return f"{name} was altered"
        except (RunError, OSError, KeyError, TypeError) as error:
            return f"it is incomplete ({error})"
        return None

    def digest(self) -> str | None:
        """The SHA-256 that the manifest gives the weights (of shards: of theirs); None where it cannot be read."""
        try:
            files = read_json(self.path / MANIFEST)["files"]
            if not is_sharded(self.path):
                return str(files[MODEL]["sha256"])
            shards = sorted(name for name in files if name.startswith(f"{MODEL_SHARDS}/"))
            return sha256("".join(str(files[name]["sha256"]) for name in shards).encode())
        except (RunError, KeyError, TypeError):
            return None

    def progress(self) -> dict[str, Any]:
        """Where training stood."""
        return read_json(self.path / PROGRESS)

    @property
    def epoch(self) -> float:
        """Passes over the training text until then."""
        batches = self.progress()["batches"]
        return epoch_of(batches)

    def shapes(self) -> Shapes:
        """The shape of each weight, by parameter name, from the file's header alone.

        Raises:
            RunError: the file cannot be read.
        """
        if is_sharded(self.path):
            return {name: tuple(shape) for name, (shape, _) in shard_shapes(self.path / MODEL_SHARDS).items()}
        try:
            with safe_open(self.path / MODEL, framework="pt") as file:
                return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise RunError(f"{self.path / MODEL} cannot be read: {error}", "a whole checkpoint") from None

    def check_fits(self, settings: ModelSettings, vocabulary: int) -> None:
        """Hold the shapes that the file declares against those of the settings, before any weight is allocated.

        Raises:
            RunError: a name or a shape differs.
        """
        try:
            expected = declared_shapes(settings, vocabulary)
        except SettingError as error:
            raise RunError(f"The settings of run {self.path.parent.parent.name} cannot be: {error.what}") from None
        compare_shapes(expected, self.shapes(), str(self.path))

    def weights(self) -> dict[str, Tensor]:
        """The model's weights, by parameter name; whole, whoever wrote them."""
        return read_shards(self.path / MODEL_SHARDS) if is_sharded(self.path) else self._tensors(MODEL)

    def training_state(self) -> dict[str, Tensor]:
        """The tensors that training needs beside the weights, by name."""
        moments = read_shards(self.path / OPTIMIZER_SHARDS) if is_sharded(self.path) else {}
        return {**self.beside(), **moments}

    def beside(self) -> dict[str, Tensor]:
        """The same without what is in shards: carried state, random states."""
        return self._tensors(OPTIMIZER)

    def _tensors(self, name: str) -> dict[str, Tensor]:
        try:
            return load((self.path / name).read_bytes())
        except (OSError, SafetensorError) as error:
            raise RunError(f"{self.path / name} cannot be read: {error}", "a whole checkpoint") from None


def commit(
    run: Path, step: int, weights: Mapping[str, Tensor], state: Mapping[str, Tensor], progress: Mapping[str, Any]
) -> Checkpoint:
    """Write a checkpoint so that it is there whole, or not there; one of that step that is whole stays as it is.

    Raises:
        StorageError: the disk is full or cannot be written; earlier checkpoints stay.
    """
    final = Checkpoint(run / CHECKPOINTS / f"step-{step}")
    if final.path.exists() and final.fault() is None:
        return final
    contents = {MODEL: save(contiguous(weights)), OPTIMIZER: save(contiguous(state)), PROGRESS: to_json(progress)}
    with new_folder(final.path) as folder:
        for name, content in contents.items():
            write_durably(folder / name, content)
        listed = {name: {"bytes": len(content), "sha256": sha256(content)} for name, content in contents.items()}
        write_durably(folder / MANIFEST, to_json({"files": listed}))
    return final


def contiguous(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors as safetensors wants them: on the CPU, contiguous, none sharing memory with another."""
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}


def checkpoints(run: Path) -> list[Checkpoint]:
    """All checkpoints of a run, the newest first; whether they are whole is not looked at."""
    folder = run / CHECKPOINTS
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
        if checkpoint.path.exists():  # else its writer has just deleted it for newer ones
            notice(f"Checkpoint {checkpoint.path.name} is passed over: {fault}; the next best one is used.")
    where = found[0].path.parent if found else "The run"
    raise RunError(f"{where} holds no whole checkpoint", "at least one", "train the run again under another name")


def prune(run: Path, kept: Collection[int | None], newest: int) -> None:
    """Delete all checkpoints but those of the steps `kept` and the newest ones (0 keeps all), and what kills left.

    Raises:
        StorageError: the folder cannot be written.
    """
    folder = run / CHECKPOINTS
    sweep(folder)
    doomed = [found for found in checkpoints(run)[newest:] if newest and found.step not in kept]
    for checkpoint in doomed:
        delete(checkpoint)
    if doomed:
        with storing(folder):
            sync_folder(folder)


def delete(checkpoint: Checkpoint) -> None:
    """Delete a checkpoint, the manifest first: half-deleted it must not look whole."""
    with suppress(OSError):
        (checkpoint.path / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(checkpoint.path, ignore_errors=True)


def declared_shapes(settings: ModelSettings, vocabulary: int) -> Shapes:
    """The shape of each weight that a model of these settings has; no memory is taken, however large they are.

    Raises:
        SettingError: a weight would have more entries than any machine can count.
    """
    try:
        with torch.device("meta"):
            model = build(settings, vocabulary)
    except RuntimeError as error:
        what = f"a {settings.architecture} of these sizes is beyond any memory ({str(error).splitlines()[0]})"
        raise SettingError(what, "a smaller model", "lower --width or --layers") from None
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


def compare_shapes(expected: Shapes, given: Shapes, where: str) -> None:
    """Hold the names and shapes of weights against a model's.

    Raises:
        RunError: one differs.
    """
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise RunError(
                f"The weights in {where} do not fit the settings: {name} is {given.get(name, 'missing')}",
                f"shape {expected.get(name, 'none of that name')}",
                "use a checkpoint of a run with the same settings and vocabulary",
            )


def load_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Put weights into a model whose parameters must have just these names and shapes.

    Raises:
        RunError: a name or a shape differs.
    """
    own, given = ({n: tuple(v.shape) for n, v in tensors.items()} for tensors in (model.state_dict(), weights))
    compare_shapes(own, given, where)
    model.load_state_dict(dict(weights))
