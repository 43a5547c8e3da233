"""A checkpoint of shards: each worker writes its share of every tensor, in safetensors files that say where it belongs.

    step-N/model/shard-*.safetensors    the weights, instead of one model.safetensors
    step-N/optim/shard-*.safetensors    what the optimizer remembers of each of them

The files are those of torch.distributed.checkpoint's safetensors storage; its metadata, which would be pickled, is
neither written nor read: each file's header holds the offsets of its tensors in the whole ones. The rest of the
folder, the manifest and how it is committed are as for a whole checkpoint (`glassloom.runs.checkpoint`). Read by one
process the tensors are whole, however many workers wrote them; read into tensors that are themselves shares, each
worker reads what it needs.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from glassloom.errors import RunError, StorageError
from glassloom.storage import file_sha256, storing, sync_folder

MODEL_SHARDS, OPTIMIZER_SHARDS = "model", "optim"
Listed = dict[str, dict[str, Any]]
"""Of each file, by its path inside the checkpoint: bytes and SHA-256, as the manifest has them."""


def write_shards(folder: Path, weights: Mapping[str, Tensor], moments: Mapping[str, Tensor], rank: int) -> Listed:
    """Write this worker's shares, and list its files; every worker must call it, after the folder is there.

    Raises:
        StorageError: a worker cannot write.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageWriter, save
    from torch.distributed.checkpoint.api import CheckpointException

    listed: Listed = {}
    for name, tensors in ((MODEL_SHARDS, weights), (OPTIMIZER_SHARDS, moments)):
        place = folder / name
        if not tensors:
            continue
        with storing(place):
            try:
                save(dict(tensors), storage_writer=HuggingFaceStorageWriter(str(place), save_distributed=True))
            except CheckpointException as error:
                first = next(iter(error.failures.values()))[0]
                if isinstance(first, OSError):
                    raise first from error
                raise StorageError(f"{place} cannot be written: {first}", "shards of all workers") from error
            for file in sorted(place.glob(f"shard-{rank + 1:05d}-*.safetensors")):
                size = file.stat().st_size
                listed[f"{name}/{file.name}"] = {"bytes": size, "sha256": file_sha256(file)}
            sync_folder(place)
    return listed


def is_sharded(folder: Path) -> bool:
    """Whether a checkpoint is one of shards."""
    return (folder / MODEL_SHARDS).is_dir()


def shard_shapes(folder: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    """The whole shape of each tensor, by the headers of the files alone.

    Raises:
        RunError: a file cannot be read.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageReader

    try:
        found = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise RunError(f"{folder} cannot be read: {error}", "a whole checkpoint") from None
    return {name: (one.size, one.properties.dtype) for name, one in found.items()}  # type: ignore[union-attr]


def read_shards(folder: Path, into: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """The tensors of a folder of shards: whole ones or, with `into`, read into those shares by all workers at once.

    Raises:
        RunError: a file cannot be read, or the shares do not fit.
    """
    from torch.distributed.checkpoint import HuggingFaceStorageReader, load

    alone = into is None
    if into is None:
        into = {name: torch.zeros(shape, dtype=dtype) for name, (shape, dtype) in shard_shapes(folder).items()}
    tensors = dict(into)
    if not tensors:
        return {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a single process reads is what is meant
            load(tensors, storage_reader=HuggingFaceStorageReader(str(folder)), no_dist=alone)
    except Exception as error:  # what a planner raises is of many kinds, and reaches here from other workers, too
        raise RunError(f"{folder} cannot be read: {error}", "a whole checkpoint") from None
    return tensors
