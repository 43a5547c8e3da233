"""The processes that train one model together (torchrun starts them): who this one is, and what they tell each other.

A worker is known by its rank, 0 to size - 1; the first one, rank 0, speaks and writes for all. Gradients are exchanged
by torch (`glassloom.training.spreading`); here are the few numbers and documents beside them. They travel as float64
and as JSON over gloo, never pickled, whatever carries the gradients.

Gloo has been run on CPUs only. nccl, which carries the gradients on CUDA, has not yet been run.
"""

import gc
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from glassloom import errors
from glassloom.data.batches import Batch
from glassloom.errors import GlassloomError, InputError, SettingError, WorkerError
from glassloom.models.contract import State

PATIENCE_SECONDS = 600.0
"""How long a worker waits for the others: when they meet, and at each exchange. The longest wait there is in a sound
training is that for the first worker while it scores the held-out slice and writes a checkpoint."""
PATIENCE = "GLASSLOOM_WORKER_TIMEOUT"
"""The environment variable that says otherwise, in seconds."""
LOST = ("gloo/", "Gloo", "NCCL", "ProcessGroup", "Connection closed by peer", "Connection reset")

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Workers:
    """This process among those that train together; alone it is the first of one, and every exchange is nothing.

    >>> Workers().sum([1.5, 2.0])
    [1.5, 2.0]
    """

    rank: int = 0
    size: int = 1
    shard: bool = False
    """Whether each holds only its share of every weight; see `glassloom.training.sharding`."""

    @property
    def is_first(self) -> bool:
        """Whether this one speaks and writes for all."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody else."""
        return self.size == 1

    def rows(self, count: int) -> tuple[int, int]:
        """From which row of a batch to which this worker's are: as equal shares as can be, in the order of ranks.

        >>> [Workers(rank, 3).rows(7) for rank in range(3)]
        [(0, 2), (2, 4), (4, 7)]
        """
        return count * self.rank // self.size, count * (self.rank + 1) // self.size

    def own(self, batch: Batch) -> Batch:
        """This worker's rows of a batch. A batch with fewer rows than there are workers leaves some without: they get
        its first row with nothing to say, so that every worker takes part in every exchange."""
        if self.alone:
            return batch
        begin, end = self.rows(batch.inputs.shape[0])
        if begin == end:
            silent = torch.zeros_like(batch.targets[:1], dtype=torch.bool)
            return Batch(batch.inputs[:1], batch.targets[:1], batch.fresh[:1], silent)
        mask = None if batch.mask is None else batch.mask[begin:end]
        return Batch(batch.inputs[begin:end], batch.targets[begin:end], batch.fresh[begin:end], mask)

    # -- exchanges; every worker must take part in each, in the same order

    def sum(self, numbers: list[float]) -> list[float]:
        """Some numbers added over all workers."""
        if self.alone:
            return numbers
        together = torch.tensor(numbers, dtype=torch.float64)
        with exchanging():
            dist.all_reduce(together)
        return together.tolist()

    def agree(self, seconds: float, stop: bool) -> tuple[float, bool]:
        """The first worker's clock, and whether any worker was asked to stop."""
        if self.alone:
            return seconds, stop
        seconds, asked = self.sum([seconds if self.is_first else 0.0, float(stop)])
        return seconds, asked > 0

    def gather(self, document: Any) -> list[Any]:
        """What each worker says (plain data that JSON can hold), in the order of ranks."""
        if self.alone:
            return [document]
        content = torch.frombuffer(bytearray(json.dumps(document).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        with exchanging():
            dist.all_gather(sizes, torch.tensor([len(content)]))
            longest = max(int(size) for size in sizes)
            rooms = [torch.zeros(longest, dtype=torch.uint8) for _ in sizes]
            dist.all_gather(rooms, torch.nn.functional.pad(content, (0, longest - len(content))))
        return [
            json.loads(room[: int(size)].numpy().tobytes().decode()) for room, size in zip(rooms, sizes, strict=True)
        ]

    def from_first(self, work: Callable[[], Answer]) -> Answer:
        """What the first worker's work gives (plain data), told to all; the others wait for it, and fail with it."""
        if self.alone:
            return work()
        said: dict[str, Any] = {}
        error: GlassloomError | None = None
        if self.is_first:
            try:
                said = {"answer": work()}
            except GlassloomError as raised:
                error, said = raised, {"error": told(raised)}
        heard = self.gather(said)[0]
        if error is not None:
            raise error
        if "error" in heard:
            raise untold(heard["error"])
        answer: Answer = heard["answer"]
        return answer

    def measured(self, work: Callable[[], Answer]) -> Answer:
        """The same for what passes through the model: where the weights are shared out, every worker does it."""
        return self.all_well(work) if self.shard else self.from_first(work)

    def all_well(self, work: Callable[[], Answer]) -> Answer:
        """Every worker does its own work; where one fails, all fail with the first one's error."""
        if self.alone:
            return work()
        error: GlassloomError | None = None
        try:
            answer = work()
        except GlassloomError as raised:
            error = raised
        faults = [fault for fault in self.gather(None if error is None else told(error)) if fault is not None]
        if error is not None:
            error.is_told = True
            raise error
        if faults:
            raise untold(faults[0])
        return answer

    @contextmanager
    def all_well_within(self, entered: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
        """Every worker enters a context of its own; where one cannot, none stays in it."""
        with ExitStack() as stack:
            self.all_well(lambda: stack.enter_context(entered()))
            yield

    def gather_tensor(self, tensor: Tensor) -> list[Tensor]:
        """Tensors of one shape from every worker, on the CPU, in the order of ranks."""
        mine = tensor.detach().cpu().contiguous()
        if self.alone:
            return [mine]
        rooms = [torch.empty_like(mine) for _ in range(self.size)]
        with exchanging():
            dist.all_gather(rooms, mine)
        return rooms

    def gather_state(self, state: State) -> State:
        """The carried state of all rows from each worker's own."""
        return state if self.alone else tuple(torch.cat(self.gather_tensor(part)) for part in state)


ALONE = Workers()


def are_together() -> bool:
    """Whether torchrun started this process as one of several."""
    return dist.is_available() and "TORCHELASTIC_RUN_ID" in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextmanager
def joined(shard: bool = False) -> Iterator[Workers]:
    """Meet the other workers that torchrun started, and part from them at the end; alone where there are none.

    Raises:
        SettingError: a model is to be sharded and there is one worker only.
        WorkerError: the others did not come in time.
    """
    if not are_together():
        if shard:
            raise SettingError(
                "One worker cannot share a model's weights with anybody", "several workers", "add --workers N"
            )
        yield ALONE
        return
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    patience = timedelta(seconds=patience_seconds())
    try:
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=meeting(patience), rank=rank, world_size=size, timeout=patience)
        dist.barrier()
    except (RuntimeError, ValueError) as error:
        raise WorkerError(
            f"Worker {rank} of {size} could not meet the others at {os.environ.get('MASTER_ADDR')}:"
            f"{os.environ.get('MASTER_PORT')}: {first_line(error)}",
            "all workers within the time",
            "see that every machine runs torchrun with the same --nnodes, --rdzv-id and --rdzv-endpoint",
        ) from error
    try:
        yield Workers(rank, size, shard)
        with suppress(RuntimeError):  # nobody leaves while another still speaks; one that is gone has said so itself
            dist.barrier()
    finally:
        dist.destroy_process_group()
        gc.collect()  # threads of what held the group end now, not while the interpreter does


def meeting(patience: timedelta) -> Store:
    """Where the workers tell each other their addresses.

    torchrun keeps one store through its restarts, in which those of the dead still stand; so each start of the workers
    of one machine has a corner of its own. The agents of several machines count their restarts differently: there
    TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1, set for torchrun, gives every start a new store.
    """
    store, _, _ = next(rendezvous("env://", timeout=patience))
    if os.environ.get("GROUP_WORLD_SIZE", "1") != "1":
        return store
    return PrefixStore(f"glassloom/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def patience_seconds() -> float:
    """How long a worker waits for the others.

    Raises:
        InputError: the environment says something that is no number of seconds.
    """
    said = os.environ.get(PATIENCE, str(PATIENCE_SECONDS))
    try:
        seconds = float(said)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e7:
        raise InputError(f"{PATIENCE} is {said!r}", "a number of seconds above 0", "set it to 600, or leave it out")
    return seconds


@contextmanager
def exchanging() -> Iterator[None]:
    """Turn what a broken exchange raises into one sentence.

    Raises:
        WorkerError: another worker is gone, or did not answer in time.
    """
    try:
        yield
    except RuntimeError as error:
        raise lost(error) from error


def is_lost(error: BaseException) -> bool:
    """Whether an error is that of an exchange between workers."""
    return dist.is_available() and (
        isinstance(error, dist.DistError)
        or (isinstance(error, RuntimeError) and any(word in str(error) for word in LOST))
    )


def lost(error: BaseException) -> WorkerError:
    """Another worker did not answer."""
    return WorkerError(
        f"Another worker is gone, or did not answer within {patience_seconds():g} s: {first_line(error)}",
        "all workers at work",
        "see what ended it, then go on from the last checkpoint with --resume",
    )


def first_line(error: BaseException) -> str:
    """The first line of an error's text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def told(error: GlassloomError) -> dict[str, str]:
    """An error as plain data."""
    return {"kind": type(error).__name__, **error.as_dict()}


def untold(fault: dict[str, str]) -> GlassloomError:
    """The error that another worker told."""
    kind: type[GlassloomError] = getattr(errors, fault["kind"], GlassloomError)
    error = kind(fault["what"], fault["expected"], fault["fix"])
    error.is_told = True
    return error
