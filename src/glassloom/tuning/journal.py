"""The search's memory: Optuna's study in one file that only grows, shared by every process that takes part.

A trial belongs to whoever holds its lock. So a process that dies leaves its trial to the next one that looks for work,
which goes on with it from the run's last checkpoint.
"""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from glassloom.errors import RunError
from glassloom.storage import storing
from glassloom.tuning.budget import ETA
from glassloom.tuning.space import Dimension

JOURNAL, CLAIMS, ASKING = "journal.jsonl", "claims", ".asking"
STUDY = "search"
FEW_AT_RANDOM = 4
"""So many trials of each bracket are drawn at random before TPE has anything to learn from."""
BEST_FEW = 5
"""PED-ANOVA asks what sets the best trials apart; by its authors' advice there are five of them, or a tenth."""


@dataclass
class Claim:
    """A trial that is this process's to carry out."""

    number: int
    params: dict[str, Any]
    begun: float = field(default_factory=time.time)


class Journal:
    """A search's trials, in the order in which they were asked for."""

    def __init__(self, folder: Path, space: Sequence[Dimension], evaluations: int, seed: int = 0) -> None:
        self.folder, self.space, self.evaluations = folder, list(space), evaluations
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with storing(folder):
            (folder / CLAIMS).mkdir(parents=True, exist_ok=True)
        path = folder / JOURNAL
        lock = JournalFileOpenLock(str(path))
        with self.readable(), storing(folder):
            if path.exists():
                whole_lines(path, lock)
            self.storage = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
            self.study = optuna.create_study(
                study_name=STUDY,
                storage=self.storage,
                load_if_exists=True,
                direction="minimize",
                pruner=optuna.pruners.HyperbandPruner(1, max_resource=evaluations, reduction_factor=ETA),
            )
            begun = len(self.study.get_trials(deepcopy=False))  # whoever joins later draws otherwise
            self.study.sampler = TPESampler(seed=1000 * begun + seed, n_startup_trials=FEW_AT_RANDOM)
        self.held: dict[int, FileLock] = {}

    @contextmanager
    def readable(self) -> Iterator[None]:
        """What a damaged journal causes, as one sentence."""
        try:
            yield
        except (json.JSONDecodeError, KeyError, ValueError, AssertionError, TypeError) as error:
            raise RunError(
                f"The search's journal {self.folder / JOURNAL} is damaged ({type(error).__name__})",
                "the file that glassloom search wrote",
                "put it back, or begin anew with --replace or another --name; its runs are whole",
            ) from error

    # -- work

    def claim(self, limit: int, first: Mapping[str, Any] | None = None) -> Claim | None:
        """The next trial to carry out: one that a process left behind, else a new one, up to `limit` of them.

        `first` is what the very first trial is given.
        """
        with self.readable(), storing(self.folder), FileLock(self.folder / ASKING):
            known = self.trials()
            for one in known:
                if one.state == TrialState.RUNNING and self.hold(one.number):
                    if self.state_of(one.number) != TrialState.RUNNING:  # it ended just now
                        self.release(one.number)
                        continue
                    if set(one.params) == {dimension.name for dimension in self.space}:
                        return Claim(one.number, self.read(one.params))
                    self.study.tell(one.number, state=TrialState.FAIL)  # it died before all of it was chosen
                    self.release(one.number)
            if sum(one.state != TrialState.FAIL for one in known) >= limit:
                return None
            if not known and first is not None:
                self.study.enqueue_trial(dict(first))
            trial = self.study.ask({one.name: distribution(one) for one in self.space})
            assert self.hold(trial.number), "nobody else knows of it yet"
            return Claim(trial.number, self.read(trial.params))

    def hold(self, number: int) -> bool:
        """Take a trial's lock, where nobody has it."""
        if number in self.held:
            return False
        lock = FileLock(self.folder / CLAIMS / f"{number}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        self.held[number] = lock
        return True

    def release(self, number: int) -> None:
        """Give a trial's lock back."""
        if lock := self.held.pop(number, None):
            lock.release()

    def read(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Optuna's values as a run's settings."""
        return {one.name: one.trained(params[one.name]) for one in self.space}

    def report(self, claim: Claim, resource: int, value: float) -> bool:
        """Tell what a trial reached after so many of its evaluations; whether Hyperband stops it there.

        The first trial is never stopped, and none at its last evaluation.
        """
        with self.readable(), storing(self.folder):
            id = self.id_of(claim.number)
            self.storage.set_trial_intermediate_value(id, resource, value)
            self.seen(claim)
            stops = self.study.pruner.prune(self.study, self.storage.get_trial(id))
        return stops and claim.number > 0 and resource < self.evaluations

    def seen(self, claim: Claim) -> None:
        """Note that a trial runs at this moment."""
        id = self.id_of(claim.number)
        before = self.storage.get_trial(id).user_attrs.get("sessions", [])
        kept = [one for one in before if one[0] != claim.begun]
        self.storage.set_trial_user_attr(id, "sessions", [*kept, [claim.begun, time.time()]])

    def finish(self, claim: Claim, value: float | None, facts: Mapping[str, Any]) -> None:
        """A trial has ended: with a value it is complete; without one it was stopped, or could not be trained."""
        with self.readable(), storing(self.folder):
            self.seen(claim)
            self.note(claim, facts)
            if value is None:
                self.study.tell(claim.number, state=TrialState.PRUNED)
            else:
                self.study.tell(claim.number, value)
        self.release(claim.number)

    def leave(self, claim: Claim, facts: Mapping[str, Any]) -> None:
        """A trial was interrupted: whoever looks for work next goes on with it."""
        with self.readable(), storing(self.folder):
            self.seen(claim)
            self.note(claim, facts)
        self.release(claim.number)

    def note(self, claim: Claim, facts: Mapping[str, Any]) -> None:
        """Keep plain facts with a trial."""
        id = self.id_of(claim.number)
        for name, value in facts.items():
            self.storage.set_trial_user_attr(id, name, value)

    def state_of(self, number: int) -> TrialState:
        """How a trial stands at this moment."""
        return next(one.state for one in self.trials() if one.number == number)

    def id_of(self, number: int) -> int:
        """The storage's own number of a trial."""
        return self.storage.get_trial_id_from_study_id_trial_number(self.storage.get_study_id_from_name(STUDY), number)

    # -- what is known

    def trials(self) -> list[FrozenTrial]:
        """Every trial that was begun."""
        every = self.study.get_trials(deepcopy=False)
        return [one for one in every if one.state != TrialState.WAITING]

    def sessions(self) -> list[list[float]]:
        """When trials ran, as (begin, end) of the clock."""
        return [session for one in self.trials() for session in one.user_attrs.get("sessions", [])]

    def importance(self) -> dict[str, float]:
        """How much each setting has to do with a trial being among the best: PED-ANOVA, shares of 1; empty for few.

        Watanabe, Bansal and Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
        Subspaces". A trial that was stopped counts as not among the best.
        """
        ended = [one for one in self.trials() if one.state.is_finished() and one.params]
        complete = [one.value for one in ended if one.state == TrialState.COMPLETE and one.value is not None]
        if len(complete) < BEST_FEW or len(ended) < 2 * BEST_FEW:
            return {}
        worst = max(complete) + 1.0
        judged = optuna.create_study(direction="minimize")
        for one in ended:
            whole = one.state == TrialState.COMPLETE and one.value is not None
            judged.add_trial(
                optuna.trial.create_trial(
                    params=one.params, distributions=one.distributions, value=one.value if whole else worst
                )
            )
        best = max(0.1, BEST_FEW / len(ended))
        found = get_param_importances(judged, evaluator=PedAnovaImportanceEvaluator(target_quantile=best))
        return {name: float(share) for name, share in found.items()}


def distribution(one: Dimension) -> BaseDistribution:
    """A dimension as Optuna has it."""
    if one.choices:
        return CategoricalDistribution(list(one.choices))
    if one.whole:
        return IntDistribution(int(one.low or 0), int(one.high or 0), log=one.log, step=one.step or 1)
    return FloatDistribution(float(one.low or 0), float(one.high or 0), log=one.log)


def whole_lines(path: Path, lock: JournalFileOpenLock) -> None:
    """Take away a last line that was cut off as its writer died, so that the next one does not go on within it."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        if file.tell() == 0:
            return
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
    lock.acquire()
    try:
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)
    finally:
        lock.release()
