"""Everything that moves while a model trains, and how all of it is saved and comes back bit for bit."""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from glassloom.config import Config
from glassloom.data.batches import Batch, Sampler
from glassloom.data.corpus import Corpus
from glassloom.data.sampling import sampler
from glassloom.errors import RunError, SettingError, TrainingError, notice
from glassloom.models import build
from glassloom.models.contract import LanguageModel, State, detach
from glassloom.runs import Checkpoint, declared_shapes, load_weights
from glassloom.shapes import TokenNats, Tokens
from glassloom.training.averaging import WeightAverage
from glassloom.training.clipping import clip_gradients
from glassloom.training.machine import autocast, is_out_of_memory, memory_bytes
from glassloom.training.norms import Norms
from glassloom.training.optimizers import (
    optimizer_copies,
    optimizer_state,
    restore_optimizer_state,
    set_learning_rate,
)
from glassloom.training.schedules import Schedule
from glassloom.training.sharding import restored_shares, shard, total_over_shares
from glassloom.training.shares import cut_like, own
from glassloom.training.spreading import kept_apart
from glassloom.training.stepping import new_optimizer, take_step
from glassloom.training.workers import ALONE, Workers

Figures = tuple[float, float, float]
"""Of one update: nats per token, the gradient's norm before and after clipping."""


@dataclass
class Progress:
    """How far training is, in plain numbers."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    parts: int = 1
    """Into how many parts a batch's rows are split; doubled when memory runs out."""
    best_nats: float | None = None
    best_step: int | None = None
    valid_nats: float | None = None
    """Validation loss at this very step, where it was measured."""
    evaluations_without_gain: int = 0
    smooth_nats: float | None = None
    smoothed_nats: float | None = None
    """The running mean of the training loss that `smoothing` asks for, over all steps so far."""
    steps_above_uniform: int = 0
    sums: dict[str, list[float]] = field(default_factory=dict)
    """Running sums of the training loss: nats and tokens since the last log, and since the last evaluation."""
    beside: dict[str, float] = field(default_factory=dict)
    """Seconds beside those of the steps; see `glassloom.training.spent`."""


class TrainingState:
    """Model, optimiser, schedule, average, batches, carried state and random states of one training."""

    def __init__(self, config: Config, corpus: Corpus, workers: Workers = ALONE) -> None:
        train = config.train
        check_memory(config, corpus.tokenizer.size, workers.size if workers.shard else 1)
        self.config, self.workers = config, workers
        self.device = torch.device(train.device)
        self.dtype = torch.float64 if train.precision == "float64" else torch.float32
        initial = torch.Generator().manual_seed(train.seed)
        self.model: LanguageModel = build(config.model, corpus.tokenizer.size, initial)
        self.model.to("cpu" if workers.shard else self.device, self.dtype)
        if workers.shard:
            shard(self.model, self.device, workers.size)
        self.generator = torch.Generator(self.device).manual_seed(train.seed + 1 + (workers.rank << 40))
        self.model.generator = self.generator
        self.hidden: Callable[..., tuple[Tensor, State]] = self.model.hidden
        """The pass that training calls; `glassloom.training.compiling` may put a compiled one here."""
        self.passing: torch.nn.Module | None = None
        """From rows to loss, with the gradients of all workers added on the way back; `glassloom.training.spreading`
        puts one here where there are several."""
        self.parameters = list(self.model.parameters())
        self.optimizer = new_optimizer(self.model, train)
        self.schedule = Schedule(train)
        self.average = WeightAverage(self.model, train.ema) if train.ema else None
        self.batches: Sampler = sampler(
            corpus.train,
            train.batching,
            train.batch_size,
            train.sequence_length or 1,
            train.seed,
            train.max_tokens,
            corpus.tokenizer.specials,
            train.random_lengths,
            self.model.context,
        )
        self.text = corpus.train
        self.carries = train.batching == "streams" and (self.model.context is None or bool(train.memory))
        self.carried: State | None = None
        self.progress = Progress(parts=train.accumulate)
        self.stopping = False
        """Whether some worker was asked to stop."""
        self.look = False
        self.looked: dict[str, dict[str, Any]] | None = None
        """Whether the next update's norms are taken, and what they were."""

    # -- one update

    def update(self, batch: Batch, lr_factor: float) -> Figures:
        """One step of the optimiser on a batch.

        Raises:
            TrainingError: the loss or a gradient is not finite; the weights are as they were before.
        """
        model, train = self.model, self.config.train
        if not model.training:
            model.train()
        tokens = batch.tokens  # of all workers' rows
        batch = self.workers.own(batch)
        before = self._state_before(batch)  # asked while the batch lies on the CPU: the device need not be waited for
        batch = batch.to(self.device)
        losses: list[Tensor] = []
        after = []
        for weights in self.parameters:
            weights.grad = None
        row, parts = 0, batch.split(self.progress.parts)
        passing = self.passing or self.nats_of
        for number, part in enumerate(parts, start=1):
            rows = part.inputs.shape[0]
            mine = None if before is None else tuple(tensor[row : row + rows] for tensor in before)
            row += rows
            counts = part.weights(tokens, self.dtype).mul_(self.workers.size)  # the mean over workers is taken later
            with kept_apart(passing, number == len(parts)):
                loss, state = passing(part.inputs, mine, part.targets, counts)
                loss.backward()
            losses.append(loss.detach())
            after.append(detach(state))
        step = self.progress.step + 1
        shared = self.workers.shard
        look = Norms(self.model) if self.look and not shared else None
        norms = clip_gradients(
            self.parameters,
            norm=train.clip_norm,
            value=train.clip_value,
            over_shares=total_over_shares if shared else None,
        )
        # The one place where a step waits for the device: everything but the update itself has been asked of it.
        *nats, norm_before, norm_after = torch.stack([*losses, *norms]).tolist()
        (total,) = self.workers.sum([sum(nats) / self.workers.size])
        if not math.isfinite(total):
            raise not_finite(self._unsound_weight() or "the training loss", step)
        if not math.isfinite(norm_before):
            raise not_finite(self._unsound_gradient(), step)
        set_learning_rate(self.optimizer, train.lr * lr_factor)
        take_step(self.optimizer)
        self.looked = None if look is None else look.after(self.model)
        if self.average:
            self.average.update()
        if self.carries:
            self.carried = (
                tuple(torch.cat(pieces) for pieces in zip(*after, strict=True)) if len(after) > 1 else after[0]
            )
        self.progress.step = step
        self.progress.tokens += tokens
        return total, norm_before, norm_after

    def nats_of(
        self, inputs: Tokens, before: State | None, targets: Tokens, weights: TokenNats
    ) -> tuple[Tensor, State]:
        """From rows to their weighted loss in nats, and the state after the last token: what a step differentiates."""
        with autocast(self.config.train):
            hidden, after = self.hidden(inputs, before)
            return self.model.weighted_nats(hidden, targets, weights), after

    def _state_before(self, batch: Batch) -> State | None:
        """The carried state with fresh rows begun anew; None where every row is fresh."""
        if not self.carries or self.carried is None:
            return None
        if not batch.fresh.any():
            return self.carried
        return None if batch.fresh.all() else self.model.restart(self.carried, batch.fresh.to(self.device))

    def _unsound_weight(self) -> str | None:
        name = first_unsound(self.model.named_parameters())
        return name and f"the weight {name}"

    def _unsound_gradient(self) -> str:
        gradients = ((name, weights.grad) for name, weights in self.model.named_parameters())
        name = first_unsound((name, gradient) for name, gradient in gradients if gradient is not None)
        return f"the gradient of {name}" if name else "the gradient's norm"

    def averaged(self) -> AbstractContextManager[None]:
        """The model has the averaged weights, where an average is kept, while the block runs."""
        return self.average.applied() if self.average and self.average.updates else nullcontext()

    def tokens_per_step(self) -> float:
        """Targets of a batch; the mean where batches differ."""
        if self.config.train.random_lengths:
            return len(self.text.ids) / self.batches.steps_per_epoch
        if self.text.starts is None or self.config.train.batching != "padded":
            return self.config.train.batch_size * (self.config.train.sequence_length or 1)
        return (len(self.text.ids) + len(self.text.starts)) / self.batches.steps_per_epoch

    def seconds_of_a_step(self) -> float:
        """How long forward and backward of one batch take, measured on part of a throw-away batch; nothing moves.

        0 where workers share the weights: there no pass can be made by one alone.
        """
        if self.workers.shard:
            return 0.0
        generator, position = self.generator.get_state(), self.batches.state()
        batch = next(self.batches)
        self.batches.restore(position)
        part = batch.split(self.progress.parts)[0]
        self.model.train()
        seconds = 0.0
        try:
            for _ in range(2):
                seconds = self._seconds_of(part.to(self.device))
        except (RuntimeError, MemoryError) as error:  # training itself will halve the batch
            if not is_out_of_memory(error):
                raise
        self.optimizer.zero_grad(set_to_none=True)
        self.generator.set_state(generator)
        return seconds * self.tokens_per_step() / part.tokens / self.workers.size  # batches may differ in length

    def _seconds_of(self, batch: Batch) -> float:
        started = time.perf_counter()
        with autocast(self.config.train):
            hidden, _ = self.hidden(batch.inputs)
            nats = self.model.weighted_nats(hidden, batch.targets, batch.weights(batch.tokens, self.dtype))
        nats.backward()  # type: ignore[no-untyped-call]
        nats.item()  # waits for the device
        return time.perf_counter() - started

    def halve(self, rows: int) -> None:
        """Memory ran out: from now on run a batch of so many rows in twice as many parts, gradients added."""
        self.optimizer.zero_grad(set_to_none=True)
        self.progress.parts = min(rows, 2 * self.progress.parts)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        parts = self.progress.parts
        notice(f"Memory ran out; batches of {rows} rows now run in {parts} parts, with their gradients added.")

    # -- saved and restored

    def weights(self) -> dict[str, Tensor]:
        """The weights to use: the moving average where one is kept.

        Raises:
            TrainingError: a weight is not finite.
        """
        with self.averaged():
            weights = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        if unsound := first_unsound(weights.items()):
            raise not_finite(f"the weight {unsound}", self.progress.step)
        return weights

    def saved(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What must be kept beside the weights to go on: named tensors, and numbers that fit into JSON.

        Of several workers: the carried state of all rows and every generator, so all of them must ask.
        """
        moments, numbers = optimizer_state(self.optimizer, self.model)
        tensors = {f"optimizer/{name}": value for name, value in moments.items()}
        average = None
        if self.average:
            shadow, average = self.average.state()
            tensors |= {f"average/{name}": value for name, value in shadow.items()}
            tensors |= {f"raw/{name}": value for name, value in self.model.state_dict().items()}
        carried = self.workers.gather_state(self.carried or ())
        tensors |= {f"carried/{index}": value for index, value in enumerate(carried)}
        tensors["generator"], *others = self.workers.gather_tensor(self.generator.get_state())
        tensors |= {f"generators/{rank}": value for rank, value in enumerate(others, start=1)}
        return tensors, {
            **vars(self.progress),
            "workers": self.workers.size,
            "optimizer": numbers,
            "average": average,
            "schedule": self.schedule.state(),
            "batches": self.batches.state(),
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to where a checkpoint was taken, bit for bit.

        Raises:
            RunError: the checkpoint is another training's.
        """
        try:
            self._restore(checkpoint)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(
                f"{checkpoint.path} does not fit the run's settings: {type(error).__name__} {error}",
                "the checkpoint that glassloom wrote",
                "delete it, so that the one before it is used",
            ) from error

    def _restore(self, checkpoint: Checkpoint) -> None:
        numbers = checkpoint.progress()
        if self.workers.shard:
            weights, tensors = restored_shares(self.model, checkpoint)
        else:
            weights, tensors = checkpoint.weights(), checkpoint.training_state()
        if self.average:
            weights = under(tensors, "raw/")
            self.average.restore(under(tensors, "average/"), numbers["average"])
        load_weights(self.model, weights, str(checkpoint.path))
        restore_optimizer_state(self.optimizer, self.model, under(tensors, "optimizer/"), numbers["optimizer"])
        self.schedule.restore(numbers["schedule"])
        self.batches.restore(numbers["batches"])
        self._restore_generator(tensors, numbers)
        carried = under(tensors, "carried/")
        rows = slice(*self.workers.rows(len(carried["0"]))) if carried else slice(0)
        self.carried = tuple(carried[str(i)][rows].to(self.device) for i in range(len(carried))) or None
        numbers = {"smoothed_nats": None, "beside": {}, **numbers}  # runs begun before there were these
        self.progress = Progress(**{name: numbers[name] for name in vars(Progress())})

    def _restore_generator(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """A worker goes on with the generator of its rank; one that there was none of begins one of that step."""
        rank, step = self.workers.rank, int(numbers["step"])
        kept = tensors["generator"] if rank == 0 else tensors.get(f"generators/{rank}")
        if kept is not None:
            self.generator.set_state(kept)
        else:
            self.generator.manual_seed(self.config.train.seed + 1 + (rank << 40) + (step << 20))

    def start_from(self, weights: Mapping[str, Tensor], where: str) -> None:
        """Begin with another run's weights."""
        own = self.model.state_dict()
        load_weights(self.model, {n: cut_like(value, own.get(n, value)) for n, value in weights.items()}, where)


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose name begins with `prefix`, by the rest of their name."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def first_unsound(tensors: Iterable[tuple[str, Tensor]]) -> str | None:
    """The name of the first tensor that holds a NaN or an infinite entry."""
    return next((name for name, value in tensors if not torch.isfinite(own(value)).all()), None)


def check_memory(config: Config, vocabulary: int, shares: int = 1) -> None:
    """Refuse a model of which this machine cannot hold a worker's share before any of it is allocated.

    Raises:
        SettingError: weights, gradients and the optimizer's state alone need more memory than there is.
    """
    train = config.train
    numbers = sum(math.prod(shape) for shape in declared_shapes(config.model, vocabulary).values())
    copies = 2 + optimizer_copies(train) + (1 if train.ema else 0)
    needed = numbers * copies * (8 if train.precision == "float64" else 4) // shares
    there = memory_bytes(train.device)
    if there is not None and needed > there:
        raise SettingError(
            f"The {config.architecture} has {numbers:,} parameters; training it takes {needed / 1e9:,.0f} GB of memory",
            f"at most the {there / 1e9:,.0f} GB of this machine",
            "lower --width or --layers",
        )


def not_finite(quantity: str, step: int) -> TrainingError:
    """Training cannot go on."""
    return TrainingError(
        f"Training stopped at step {step:,}: {quantity} became NaN or infinite",
        "finite numbers",
        "lower --lr, set --clip-norm 1, or use --precision float32",
    )
