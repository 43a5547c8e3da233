"""A transformer that one device cannot hold: every worker keeps a share of each weight (FSDP2; Zhao et al. 2023).

Each parameter is cut along its first axis. A sublayer's weights are gathered just before it runs, forward and backward,
and its gradients are added up and cut again right after; the optimizer keeps a worker's own shares only. So weights,
gradients and moments take 1/N of the memory; activations are those of a worker's own rows, as without. (muon makes
whole matrices orthogonal: it gathers the matrices of one shape at a time, and every worker does the same products.)

A model is built whole in the memory of the machine before it is cut, so that it begins with the same numbers as in one
process. The text is not sampled while it is trained: ask the run afterwards. The passes run uncompiled, and how long a
training will take is not measured beforehand. Not yet run on a GPU.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from safetensors.torch import save
from torch import Tensor

from glassloom.config import Config
from glassloom.errors import SettingError
from glassloom.models import build
from glassloom.models.contract import LanguageModel
from glassloom.runs.checkpoint import MANIFEST, OPTIMIZER, PROGRESS, Checkpoint, contiguous
from glassloom.runs.documents import CHECKPOINTS, to_json
from glassloom.runs.shards import MODEL_SHARDS, OPTIMIZER_SHARDS, is_sharded, read_shards, shard_shapes, write_shards
from glassloom.storage import new_folder, sha256, write_durably
from glassloom.training.shares import cut_like
from glassloom.training.workers import Workers, exchanging

if TYPE_CHECKING:
    from glassloom.training.state import TrainingState


def check_shard(config: Config) -> None:
    """Whether a model and its training can be sharded.

    Raises:
        SettingError: its weights are not run part by part, or something needs them whole.
    """
    with torch.device("meta"):
        parts = build(config.model, 8).shards()
    if not parts:
        raise SettingError(
            f"The weights of a {config.architecture} cannot be shared out: its kernels read them whole, at every step",
            "a transformer",
            "drop --shard: every worker then holds the whole model",
        )
    train = config.train
    if train.compile == "on":
        raise SettingError("compile on needs whole weights, and --shard cuts them", "no compiling", "set --compile off")
    if train.ema is not None:
        raise SettingError("ema keeps whole weights, and --shard cuts them", "no average", "drop --ema or --shard")


def shard(model: LanguageModel, device: torch.device, size: int) -> None:
    """Cut a model's weights over all workers; from now on all of them must run each of its passes."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (size,))
    for part in model.shards():
        fully_shard(part, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "hidden")


def restored_shares(model: LanguageModel, checkpoint: Checkpoint) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights and training state of a checkpoint as shares: cut from whole ones, or each worker's own read from shards.

    The shards may have been written by another number of workers. Every worker must call this.
    """
    like = {name: value.detach() for name, value in model.state_dict().items()}

    def parameter_of(name: str) -> str:
        return name.removeprefix("optimizer/").rpartition(".")[0]

    if not is_sharded(checkpoint.path):
        weights = {name: cut_like(value, like[name]) for name, value in checkpoint.weights().items()}
        tensors = checkpoint.training_state()
        return weights, {name: cut_like(one, like.get(parameter_of(name), one)) for name, one in tensors.items()}
    weights = read_shards(checkpoint.path / MODEL_SHARDS, {n: torch.zeros_like(value) for n, value in like.items()})
    into = {
        name: torch.zeros_like(like[parameter_of(name)]) if len(shape) else torch.zeros(shape, dtype=dtype)
        for name, (shape, dtype) in shard_shapes(checkpoint.path / OPTIMIZER_SHARDS).items()
    }
    return weights, {**checkpoint.beside(), **read_shards(checkpoint.path / OPTIMIZER_SHARDS, into)}


def total_over_shares(square: Tensor) -> Tensor:
    """The sum over workers of a scalar that each has of its own shares."""
    with exchanging():
        dist.all_reduce(square)
    return square


@contextmanager
def scored(model: LanguageModel, workers: Workers) -> Iterator[None]:
    """Passes without gradients: afterwards the weights that lie outside of the parts are shares again."""
    try:
        yield
    finally:
        if workers.shard:
            model.reshard()  # type: ignore[operator]


def commit_shards(
    run: Path | None, state: "TrainingState", numbers: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Commit a checkpoint to which every worker writes its shares; the first one writes the rest, the manifest last.

    Every worker must call it; only the first one needs to know the run's folder.

    Raises:
        StorageError: a worker cannot write; earlier checkpoints stay.
    """
    workers, step = state.workers, state.progress.step
    weights = {name: value.detach() for name, value in state.model.state_dict().items()}
    moments = {name: value for name, value in tensors.items() if name.startswith("optimizer/")}
    beside = {name: value for name, value in tensors.items() if name not in moments}
    final = None if run is None else Checkpoint(run / CHECKPOINTS / f"step-{step}")
    there = workers.gather(final is not None and final.path.exists() and final.fault() is None)[0]
    if there:
        return
    making: AbstractContextManager[Path | None] = nullcontext() if final is None else new_folder(final.path)
    with making as folder:

        def prepare() -> str:
            assert folder is not None
            for name in (MODEL_SHARDS, OPTIMIZER_SHARDS):
                (folder / name).mkdir()
            return str(folder)

        place = Path(workers.from_first(prepare))
        mine = workers.all_well(lambda: write_shards(place, weights, moments, workers.rank))
        listed = {name: facts for one in workers.gather(mine) for name, facts in one.items()}

        def finish() -> None:
            for name, content in {OPTIMIZER: save(contiguous(beside)), PROGRESS: to_json(numbers)}.items():
                write_durably(place / name, content)
                listed[name] = {"bytes": len(content), "sha256": sha256(content)}
            write_durably(place / MANIFEST, to_json({"files": listed, "shards": workers.size}))

        workers.from_first(finish)
