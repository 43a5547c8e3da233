"""What a run wrote down while it trained, as arrays: the history that `glassloom.doctor.history` judges.

Only what can be read is taken: a torn line of the metrics is passed over. Losses are nats a token.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glassloom.data.baselines import cached
from glassloom.data.corpus import Corpus, reopen_corpus
from glassloom.errors import RunError
from glassloom.runs import Run
from glassloom.runs.run import METRICS

Floats: TypeAlias = npt.NDArray[np.float64]
UPDATE = ("step", "epoch", "tokens", "train_nats", "lr", "norm_before", "norm_after")
EVALUATION = ("step", "epoch", "valid_nats")


@dataclass(frozen=True)
class Fall:
    """How far a loss fell from one stretch of training to the next, and how sure that is."""

    nats: float
    """Mean of the former stretch minus that of the latter; positive where the loss fell."""
    error: float
    """Standard error of that difference, from the scatter between neighbouring lines."""
    level: float
    """Mean of the latter stretch."""

    @property
    def share(self) -> float:
        """The fall as a share of the level that it ended on; 0 of a loss of 0."""
        return self.nats / self.level if self.level > 0 else 0.0

    @property
    def is_steep(self) -> bool:
        """More than a hundredth of the loss, and beyond three standard errors."""
        return self.nats > max(0.01 * self.level, 3 * self.error)


@dataclass(frozen=True)
class History:
    """One run's training as numbers; every array of `updates` has one entry a line of the metrics."""

    run: Run
    facts: Mapping[str, Any]
    """What the run remembers of its text (`Corpus.describe`)."""
    updates: Mapping[str, Floats]
    """By field: step, epoch, tokens, train_nats (mean since the line before), lr, norm_before, norm_after."""
    evaluations: Mapping[str, Floats]
    """By field: step, epoch, valid_nats."""
    result: Mapping[str, Any]
    """How training ended; empty where it was interrupted."""

    # -- the text

    @property
    def vocabulary(self) -> int:
        return int(self.facts["vocabulary"])

    @property
    def uniform(self) -> float:
        """ln of the vocabulary's size: the loss of a guess that favours nothing."""
        return math.log(self.vocabulary)

    @cached_property
    def corpus(self) -> Corpus | None:
        """The text where it still lies prepared in the cache; nothing is read or downloaded anew."""
        return reopen_corpus(self.facts)

    @cached_property
    def baselines(self) -> Mapping[str, float]:
        """Nats a token of the baselines that are known: stored with the run, else in the cache of its text.

        The unigram one is counted where neither has it and the text is at hand.
        """
        stored = self.facts.get("baselines", {})
        known = {name: float(one["nats_per_token"]) for name, one in stored.items()}
        if not known and self.corpus is not None:
            known = {name: one.nats_per_token for name, one in cached(self.corpus.cache).items()}
        if "unigram" not in known and self.corpus is not None and self.corpus.train.starts is None:
            known["unigram"] = unigram_nats(self.corpus)
        return known

    @property
    def memorises(self) -> bool:
        """Whether the run was declared to learn its text by heart: valid is the very text of train."""
        return bool(self.run.config.data.memorises)

    # -- the course of the loss

    @property
    def steps(self) -> int:
        return int(self.updates["step"][-1]) if len(self.updates["step"]) else 0

    @property
    def epochs(self) -> float:
        return float(self.updates["epoch"][-1]) if len(self.updates["epoch"]) else 0.0

    @property
    def losses(self) -> Floats:
        """The training loss, line by line."""
        return self.updates["train_nats"]

    @cached_property
    def weights(self) -> Floats:
        """How many tokens each line is about: padded batches differ in length, and in loss with it."""
        return np.diff(self.updates["tokens"], prepend=0.0)

    @property
    def status(self) -> str:
        """How training ended: finished, diverged, failed, or interrupted."""
        return str(self.result.get("status", "interrupted"))

    @property
    def last(self) -> float:
        """The training loss over the last tenth; that of the last line alone where there are few."""
        tail = slice(-max(1, len(self.losses) // 10), None)
        return mean(self.losses[tail], self.weights[tail])

    @property
    def best_valid(self) -> float:
        """The lowest validation loss; NaN where none was measured."""
        return float(self.evaluations["valid_nats"].min()) if len(self.evaluations["valid_nats"]) else math.nan

    @property
    def last_valid(self) -> float:
        """The last validation loss; NaN where none was measured."""
        return float(self.evaluations["valid_nats"][-1]) if len(self.evaluations["valid_nats"]) else math.nan

    def fall(self, begin: float, end: float) -> Fall:
        """How far the training loss fell within a part of training, from its first half to its second.

        `begin` and `end` are shares of the lines of the metrics.
        """
        part = slice(round(begin * len(self.losses)), round(end * len(self.losses)))
        return fall(self.losses[part], self.weights[part])

    @cached_property
    def steps_per_epoch(self) -> int | None:
        """How many updates a pass over the text takes, as the batches say in the newest checkpoint."""
        plan = self.run.newest().progress().get("batches", {})
        return int(plan["steps_per_epoch"]) if plan.get("steps_per_epoch") else None


def fall(losses: Floats, weights: Floats | None = None) -> Fall:
    """How far losses fell from their first half to their second; `weights`: the tokens of each.

    >>> fall(np.array([3.0, 3.0, 2.0, 2.0])).nats
    1.0
    """
    half = len(losses) // 2
    weights = np.ones(len(losses)) if weights is None else weights
    if not half:
        return Fall(0.0, math.inf, mean(losses, weights))
    former, latter = mean(losses[:half], weights[:half]), mean(losses[half:], weights[half:])
    scatter = float(np.abs(np.diff(losses)).mean()) * math.sqrt(math.pi) / 2  # of neighbours: E|a - b| = 2 s / sqrt(pi)
    error = scatter * math.sqrt(1 / half + 1 / (len(losses) - half))
    return Fall(former - latter, error, latter)


def mean(values: Floats, weights: Floats) -> float:
    """The weighted mean; NaN of nothing, and the plain one where nothing weighs."""
    if not len(values):
        return math.nan
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else float(values.mean())


def unigram_nats(corpus: Corpus) -> float:
    """Nats a token of held-out text by the frequencies of the training text, one added to each count."""
    size = corpus.tokenizer.size
    counts = np.bincount(corpus.train.ids, minlength=size) + 1.0
    held_out = np.bincount(corpus.valid.ids, minlength=size)
    return float(-(held_out * np.log(counts / counts.sum())).sum() / held_out.sum())


def recorded(run: Run) -> History:
    """The history of a run that has one.

    Raises:
        RunError: it is being trained now, was never trained, has no history at all, or is damaged.
    """
    facts = run.corpus
    if not isinstance(facts, dict) or not isinstance(facts.get("vocabulary"), int):
        raise RunError(
            f"{run.path / 'corpus.json'} does not say what the text of the run is",
            "the facts that glassloom wrote",
            "name another run",
        )
    if run.state() == "running":
        raise RunError(
            f"Run {run.name} is still training",
            "a run that has ended",
            "wait for its end, or interrupt it with Ctrl-C (it is saved, and goes on with --resume)",
        )
    run.newest()  # raises where no checkpoint is whole
    result = run.result() or {}
    lines = run.metrics()
    updates = columns([line for line in lines if line.get("event") == "train"], UPDATE)
    if not len(updates["step"]) and result.get("status") not in ("diverged", "failed"):
        raise nothing_recorded(run)
    return History(
        run,
        facts,
        updates,
        columns([line for line in lines if line.get("event") == "evaluation"], EVALUATION),
        result,
    )


def nothing_recorded(run: Run) -> RunError:
    """Why there is no history: it is lost, it cannot be read, or nothing was trained."""
    file = run.path / METRICS
    if not file.exists() and run.newest().step > 0:
        return RunError(
            f"Run {run.name} has no {METRICS}, so nothing is known of how it was trained",
            f"its {METRICS}, as training wrote it",
            "put it back, or name another run",
        )
    if file.exists() and file.stat().st_size and not run.metrics():
        return RunError(
            f"{file} cannot be read: no line of it is whole", "the lines that glassloom wrote", "name another run"
        )
    return RunError(
        f"Run {run.name} has not been trained: no step was recorded",
        "at least one step of training",
        f"train it: glassloom train CORPUS --resume --name {run.name}",
    )


def is_whole(line: Mapping[str, Any], fields: Sequence[str]) -> bool:
    """Whether every field of a line is a finite number."""
    return all(isinstance(line.get(name), (int, float)) and math.isfinite(line[name]) for name in fields)


def columns(lines: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> dict[str, Floats]:
    """By field, its value in every line that has all of them as finite numbers."""
    whole = [line for line in lines if is_whole(line, fields)]
    return {name: np.array([line[name] for line in whole], dtype=np.float64) for name in fields}
