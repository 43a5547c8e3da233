"""Carry out planned runs, one after the other, several at once, or over machines; what is finished is not done again.

    crew = a `Crew` that fits `Where`: this process, processes beside it, or a Ray cluster
    for outcome in carried_out(plans, crew, corpus_of):     plans are drawn one by one, as the crew has room
        ...                                                 an outcome comes as soon as its run has ended

`execute` does so with a list, and gives the outcomes in its order.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

from glassloom.comparison.grid import Planned
from glassloom.comparison.results import Status
from glassloom.config import Config
from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, RunError, StorageError, TrainingError
from glassloom.runs import load_run
from glassloom.training import Began, Event, TrainingResult, train


@dataclass(frozen=True)
class Placed:
    """A run is about to begin, or to go on, in a process: `node-2 (process 4711)`."""

    place: str


@dataclass(frozen=True)
class Lost:
    """The process that trained a run is gone; it goes on from its last checkpoint elsewhere."""

    place: str
    reason: str


@dataclass(frozen=True)
class Ended:
    """A process gave a run back; told also of one that was finished before, or failed before its first step."""

    status: Status
    reason: str | None


RunEvent: TypeAlias = Event | Placed | Lost | Ended
OnEvent = Callable[[str, RunEvent], None]
"""Told the run's id and what happened in it."""
MOST_DEATHS = 5
"""A run whose process was lost so often is given up: it may be what kills them."""


@dataclass(frozen=True)
class Outcome:
    """How one planned run ended."""

    plan: Planned
    status: Status
    reason: str | None


@dataclass
class Work:
    """What every run of one execution has in common, and which of them have begun."""

    root: Path
    replace: bool
    command: str
    on_event: OnEvent
    begun: set[str] = field(default_factory=set)

    def told(self, id: str, event: RunEvent) -> None:
        """Note that a run has begun, and tell on what happened in it."""
        if isinstance(event, Began):
            self.begun.add(id)
        self.on_event(id, event)

    def replaces(self, id: str) -> bool:
        """Whether what is there gives way; not what this execution has begun itself, when it has to go on with it."""
        return self.replace and id not in self.begun


class Crew(Protocol):
    """Who carries runs out. `begin` is called while there is room, and `ended` until nothing runs any more."""

    def room(self) -> int:
        """How many runs may be under way at once, those included that are."""

    def begin(self, plan: Planned, corpus: Corpus) -> None:
        """Start a run, or go on with it."""

    def ended(self, seconds: float, stop: Callable[[str], bool]) -> list[Outcome]:
        """The runs that have ended since this was last asked; waits so long at most where there is none.

        Those for which `stop` says so are asked to save and end; they come later, as interrupted.
        """


WAIT_SECONDS = 0.2


def carried_out(
    plans: Iterable[Planned],
    crew: Crew,
    corpus_of: Callable[[Planned], Corpus],
    *,
    stop: Callable[[], bool] = lambda: False,
    drop: Callable[[str], bool] = lambda id: False,
) -> Iterator[Outcome]:
    """Carry out plans as they are drawn, and yield how each one ended, as it ends.

    A plan is drawn only when there is room for it, and after all outcomes up to then were yielded: so a search can
    choose the next trial by what the last ones found. `stop()` draws no more and asks every run to save and end;
    `drop(id)` asks one run (a hopeless trial).

    Raises:
        StorageError: the disk is full or cannot be written.
        RunError: what is there was given another budget.
    """
    waiting, running, all_drawn = iter(plans), set[str](), False
    while True:
        while not all_drawn and not stop() and len(running) < crew.room():
            plan = next(waiting, None)
            all_drawn = plan is None
            if plan is not None:
                crew.begin(plan, corpus_of(plan))
                running.add(plan.id)
        if not running:
            return
        for outcome in crew.ended(WAIT_SECONDS, lambda id: stop() or drop(id)):
            running.discard(outcome.plan.id)
            yield outcome


def execute(
    planned: list[Planned],
    corpora: Mapping[str, Corpus],
    crew: AbstractContextManager[Crew],
    *,
    stop: Callable[[], bool],
) -> list[Outcome]:
    """Run everything; a run that fails does not stop the others, a full disk does. The outcomes in the plans' order.

    `corpora` holds the prepared text for each run's id.
    """
    with crew as hands:
        ended = {
            outcome.plan.id: outcome for outcome in carried_out(planned, hands, lambda p: corpora[p.id], stop=stop)
        }
    return [ended.get(plan.id, Outcome(plan, "interrupted", "not begun")) for plan in planned]


class Alone:
    """A crew of this process only: one run after the other."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.given: tuple[Planned, Corpus] | None = None

    def __enter__(self) -> "Alone":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def room(self) -> int:
        """One at a time."""
        return 1

    def begin(self, plan: Planned, corpus: Corpus) -> None:
        """Remember the run; `ended` trains it."""
        self.given = plan, corpus

    def ended(self, seconds: float, stop: Callable[[str], bool]) -> list[Outcome]:
        """Train the run that was begun, to its end."""
        assert self.given is not None
        plan, corpus = self.given
        work, self.given = self.work, None
        on_event = partial(work.told, plan.id)
        return [one(plan, corpus, work.root, work.replace, work.command, on_event, lambda: stop(plan.id))]


def one(
    plan: Planned,
    corpus: Corpus,
    root: Path,
    replace: bool,
    command: str,
    on_event: Callable[[Event], None],
    stop: Callable[[], bool],
) -> Outcome:
    """Train one planned run, or go on with it, or find it finished.

    Raises:
        RunError: what is there was given another budget; extending it would not be what a fresh run gives.
        StorageError: the disk is full or cannot be written.
    """
    if not replace:
        check_budget(root / plan.id, plan)
    try:
        result: TrainingResult = train(
            corpus, plan.given, root=root, name=plan.id, resume=not replace, replace=replace,
            command=command, on_event=on_event, stop=stop, with_baselines=False,
        )  # fmt: skip
    except StorageError:
        raise
    except TrainingError as error:
        return Outcome(plan, "diverged", error.what)
    except GlassloomError as error:
        return Outcome(plan, "failed", str(error))
    if result.status == "finished":
        return Outcome(plan, "finished", None)
    return Outcome(plan, "diverged" if result.status == "diverged" else "interrupted", result.reason)


def check_budget(folder: Path, plan: Planned) -> None:
    """A run of an earlier comparison is taken only with the very same budget."""
    if not folder.is_dir():
        return
    stored, asked = load_run(folder).config.train.budget(), Config.from_flat(plan.given).train.budget()
    if stored != asked:
        raise RunError(
            f"Run {plan.id} in {folder.parent} was given {stored[0]} {stored[1]:g}, not {asked[0]} {asked[1]:g}",
            "the same budget for every run of a comparison",
            "begin anew with --replace, or choose another --out",
        )


def fitted_to(plan: Planned, root: Path, replace: bool, **share: object) -> Planned:
    """The plan with its share of a machine (`threads`, `device`), where nothing else was asked for.

    A run that is there already keeps what it was begun with: its figures would be others with other threads.
    """
    if (root / plan.id).is_dir() and not replace:
        return plan
    return Planned(plan.id, plan.setting, {**share, **plan.given})
