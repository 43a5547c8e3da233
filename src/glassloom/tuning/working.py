"""A process at work on a search: it takes one trial after the other until none is left, or the time is up."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from glassloom.config import Config
from glassloom.data.corpus import Corpus
from glassloom.data.settings import DataSettings
from glassloom.errors import GlassloomError
from glassloom.training.resolve import open_corpus
from glassloom.tuning.asked import Asked
from glassloom.tuning.attempt import Ending, Order, attempt
from glassloom.tuning.journal import Claim, Journal
from glassloom.tuning.space import defaults

HOPELESS = 5
"""When so many trials cannot be trained at all and none could, the search ends with what was wrong."""


@dataclass(frozen=True)
class Chosen:
    """A trial begins, or goes on."""

    number: int
    settings: dict[str, Any]


@dataclass(frozen=True)
class Judged:
    """A trial was scored at one of its evaluations."""

    number: int
    which: int
    loss: float


@dataclass(frozen=True)
class Done:
    """A trial ended, or was interrupted."""

    number: int
    state: str
    loss: float | None
    reason: str


Told: TypeAlias = Chosen | Judged | Done
OnTold: TypeAlias = Callable[[Told], None]


@dataclass(frozen=True)
class Task:
    """What every process of a search is given: plain data, and the text."""

    folder: str
    asked: Asked
    source: Any
    corpus: Corpus
    limit: int
    deadline: float
    """By the clock."""
    command: str
    threads: int | None = None
    process: int = 0


def work(task: Task, tell: OnTold, stop: Callable[[], bool]) -> None:
    """Carry out trials until there are enough, the time is up, or `stop()`; one that is cut off can be gone on with.

    Raises:
        StorageError: the disk is full; what was done stays.
        InputError: no trial can be trained at all.
    """
    asked = task.asked
    space = asked.dimensions()
    journal = Journal(Path(task.folder), space, asked.evaluations, asked.seed * 1_000_003 + task.process)
    first = defaults(space, asked.given({}))
    texts: dict[tuple[Any, ...], Corpus] = {}
    refused = 0

    def over() -> bool:
        return stop() or time.time() >= task.deadline

    while not stop() and enough_time(task):
        claim = journal.claim(task.limit, first)
        if claim is None:
            return
        tell(Chosen(claim.number, claim.params))
        ending = carried_out(task, journal, claim, texts, tell, over)
        tell(Done(claim.number, ending.state, ending.loss, ending.reason))
        refused = refused + 1 if ending.error else -(10**9)
        if ending.error and refused >= min(HOPELESS, task.limit):
            raise ending.error


def enough_time(task: Task) -> bool:
    """Whether a trial that begins now would come to be judged at least once."""
    name, amount = task.asked.budget
    needed = 60 * amount / task.asked.evaluations if name == "minutes" else 0.0
    return time.time() + needed < task.deadline


def carried_out(
    task: Task,
    journal: Journal,
    claim: Claim,
    texts: dict[tuple[Any, ...], Corpus],
    tell: OnTold,
    over: Callable[[], bool],
) -> Ending:
    """One trial, and what became of it in the journal."""
    asked = task.asked
    given = asked.given(claim.params)
    if task.threads and "threads" not in given:
        given["threads"] = task.threads
    order = Order(
        task.folder, run_name(claim.number), given, asked.evaluations, asked.unit, task.command
    )  # fmt: skip

    def report(which: int, loss: float) -> bool:
        tell(Judged(claim.number, which, loss))
        return journal.report(claim, which, loss)

    try:
        ending = attempt(order, text_of(task, claim.params, texts), report, over)
    except BaseException:
        journal.leave(claim, {})
        raise
    facts = {"state": ending.state, "reason": ending.reason, **ending.facts}
    if ending.state == "interrupted":
        journal.leave(claim, facts)
    else:
        journal.finish(claim, ending.loss, facts)
    return ending


def text_of(task: Task, params: dict[str, Any], texts: dict[tuple[Any, ...], Corpus]) -> Corpus:
    """The text as a trial reads it: once for each way of cutting it into tokens."""
    own = {name: value for name, value in params.items() if name in DataSettings.model_fields}
    if not own:
        return task.corpus
    key = tuple(own.values())
    if key not in texts:
        texts[key] = open_corpus(task.source, Config.from_flat(task.asked.given(own)))
    return texts[key]


def run_name(number: int) -> str:
    """The run folder of a trial.

    >>> run_name(7)
    'trial-0007'
    """
    return f"trial-{number:04d}"


def work_apart(task: Task, queue: Any, halt: Any, parent: int) -> None:
    """The same in a process of its own, which leaves Ctrl-C to its parent and stops when that is gone."""
    import os
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        work(task, queue.put, lambda: halt.is_set() or os.getppid() != parent)
    except GlassloomError as error:
        queue.put(error)
