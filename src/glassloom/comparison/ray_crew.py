"""A crew over the machines of a Ray cluster: every run is a task of its own with its CPUs and GPUs.

A run whose process or machine is lost is handed out again and goes on from its last checkpoint. Tasks are never
repeated by Ray itself: the overseer must know, for the live table and for what `--replace` means the second time.
Not yet run on a GPU.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import glassloom
from glassloom.comparison.execution import MOST_DEATHS, Ended, Lost, Outcome, Work, fitted_to
from glassloom.comparison.grid import Planned
from glassloom.comparison.places import Where
from glassloom.comparison.processes import given_up_after
from glassloom.comparison.ray_board import Board
from glassloom.comparison.ray_cluster import Machine, check_answers, check_fits, head_of, joined, machines, marked
from glassloom.comparison.ray_worker import Order, Placed, as_event, carry_out
from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, InputError, SettingError, WorkerError
from glassloom.storage import replace_file, storing

LOOK_SECONDS = 5.0
"""Between two looks at what the cluster has."""
START_SECONDS = 120.0
"""How long a cluster may take to start the board's process."""
ANSWER_SECONDS = 30.0
SPARE = 4
"""So many runs more than there is room for are handed out, that no machine waits and an autoscaler sees the need."""


class RayCrew:
    """Hands runs out to a cluster, hears what they tell, and sends lost ones out again."""

    def __init__(self, work: Work, where: Where) -> None:
        self.work, self.where = work, where
        self.cpus, self.gpus = where.cpus or 1, where.gpus or 0
        self.running: dict[Any, tuple[Planned, Corpus]] = {}
        self.places: dict[str, str] = {}
        self.attempts: dict[str, int] = {}
        self.halted: set[str] = set()
        self.texts: dict[int, tuple[Corpus, Any]] = {}
        self.looked = 0.0
        self.machines: list[Machine] = []

    def __enter__(self) -> "RayCrew":
        self.open = ExitStack()
        try:
            self.ray = self.open.enter_context(joined(self.where))
            self.machines = machines(self.ray)
            check_fits(self.machines, self.cpus, self.gpus)
            self.board = self.new_board()
            self.root = self.work.root.resolve()
            self.marker = marked(self.root)
            with storing(self.root):
                self.root.mkdir(parents=True, exist_ok=True)
            replace_file(self.marker, b"")
            self.open.callback(self.marker.unlink, missing_ok=True)
            self.far = self.ray.remote(carry_out).options(
                num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0, scheduling_strategy="SPREAD"
            )
        except BaseException:
            self.open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.running:  # only after an error or a second Ctrl-C: what is saved stays
            self.ray.cancel(task, force=True)
        self.open.close()

    def new_board(self) -> Any:
        """The board, on the cluster's head: with that one gone, all is over anyway."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        affinity = NodeAffinitySchedulingStrategy(head_of(self.ray), soft=False)
        board = self.ray.remote(Board).options(num_cpus=0, scheduling_strategy=affinity).remote()
        try:
            self.ray.get(board.take.remote(), timeout=START_SECONDS)
        except self.ray.exceptions.RayError as error:
            raise cannot_run(error) from error
        return board

    def room(self) -> int:
        """As many as fit onto the machines that are up and a few more, or as many as were asked for."""
        fit = sum(machine.room(self.cpus, self.gpus) for machine in self.machines)
        return self.where.jobs or max(1, fit + SPARE)

    def begin(self, plan: Planned, corpus: Corpus) -> None:
        """Hand the run out to whichever machine has room first.

        Raises:
            SettingError: it was given what its share of a machine does not have.
        """
        check_share(plan, self.cpus, self.gpus)
        replace = self.work.replaces(plan.id)
        share = {"threads": self.cpus} if self.gpus else {"threads": self.cpus, "device": "cpu"}
        order = Order(
            fitted_to(plan, self.work.root, replace, **share), self.root, replace, self.work.command,
            self.attempts.setdefault(plan.id, 0), self.marker.name, glassloom.__version__,
        )  # fmt: skip
        if id(corpus) not in self.texts:
            self.texts[id(corpus)] = corpus, self.ray.put(corpus)  # sent once; the corpus is kept, so its id stays
        self.running[self.far.remote(order, self.texts[id(corpus)][1], self.board)] = plan, corpus

    def ended(self, seconds: float, stop: Callable[[str], bool]) -> list[Outcome]:
        """The runs that the cluster gave back.

        Raises:
            WorkerError: the cluster is gone, or has lost every machine that can carry a run.
            GlassloomError: what a run met that ends all of them.
        """
        ray = self.ray
        try:
            self.ask_to_stop(stop)
            done, _ = ray.wait(list(self.running), num_returns=1, timeout=seconds)
            if done:
                done, _ = ray.wait(list(self.running), num_returns=len(self.running), timeout=0)
            for told in ray.get(self.board.take.remote(), timeout=ANSWER_SECONDS):
                self.tell(*as_event(told))
            self.look()
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise self.gone() from error
        outcomes = [outcome for task in done for outcome in self.outcome(task)]
        for outcome in outcomes:
            self.work.told(outcome.plan.id, Ended(outcome.status, outcome.reason))
        return outcomes

    def ask_to_stop(self, stop: Callable[[str], bool]) -> None:
        """Leave word for runs that are to end; one that still waits for room is not begun any more."""
        asked = [(task, plan.id) for task, (plan, _) in self.running.items() if plan.id not in self.halted]
        asked = [(task, id) for task, id in asked if stop(id)]
        if not asked:
            return
        self.halted.update(id for _, id in asked)
        self.board.halt.remote([id for _, id in asked])
        for task, id in asked:
            if id not in self.places:
                self.ray.cancel(task)

    def tell(self, id: str, event: Any) -> None:
        """Tell on what a run told, and remember where it is."""
        if isinstance(event, Placed):
            self.places[id] = event.place
        self.work.told(id, event)

    def outcome(self, task: Any) -> list[Outcome]:
        """How a run ended; nothing where it goes on elsewhere."""
        plan, corpus = self.running.pop(task)
        errors = self.ray.exceptions
        try:
            found = self.ray.get(task)
        except errors.TaskCancelledError:
            return [Outcome(plan, "interrupted", "not begun")]
        except (errors.NodeDiedError, errors.WorkerCrashedError, errors.OutOfMemoryError, errors.ObjectLostError,
                errors.LocalRayletDiedError) as error:  # fmt: skip
            return self.go_on(plan, corpus, why(error, errors))
        except errors.RayError as error:
            raise cannot_run(error) from error
        if isinstance(found, GlassloomError):
            raise found
        return [found]

    def go_on(self, plan: Planned, corpus: Corpus, reason: str) -> list[Outcome]:
        """Hand a lost run out again; what becomes of it where that is over."""
        attempt = self.attempts[plan.id] = self.attempts[plan.id] + 1
        if attempt >= MOST_DEATHS:
            return [Outcome(plan, "failed", given_up_after(attempt))]
        self.board.expect.remote(plan.id, attempt)
        self.work.told(plan.id, Lost(self.places.pop(plan.id, "a machine of the cluster"), reason))
        if plan.id in self.halted:
            return [Outcome(plan, "interrupted", f"{reason}; saved is what its last checkpoint holds")]
        self.begin(plan, corpus)
        return []

    def look(self) -> None:
        """See from time to time what the cluster has now.

        Raises:
            WorkerError: nobody answers any more, or no machine is left that can carry a run.
        """
        if time.monotonic() - self.looked < LOOK_SECONDS:
            return
        self.looked = time.monotonic()
        if self.where.address is not None:
            try:
                check_answers(self.where.address)
            except InputError:
                raise self.gone() from None
        self.machines = machines(self.ray)
        try:
            check_fits(self.machines, self.cpus, self.gpus)
        except SettingError as error:
            raise WorkerError(
                "The cluster has lost every machine that could carry a run",
                error.expected,
                "bring one back; the same command then goes on from the last checkpoints",
            ) from None

    def gone(self) -> WorkerError:
        """The sentence about a cluster that is no more."""
        return WorkerError(
            f"The Ray cluster{f' at {self.where.address}' if self.where.address else ''} is gone",
            "a cluster that stays until all runs have ended",
            "start it again; the same command then goes on from the last checkpoints",
        )


def check_share(plan: Planned, cpus: int, gpus: float) -> None:
    """Whether a run's settings fit its share of a machine.

    Raises:
        SettingError: more threads than CPUs, or a GPU where none was asked for.
    """
    threads = plan.given.get("threads")
    if threads is not None and int(threads) > cpus:
        raise SettingError(
            f"threads is {threads}, and a run has {cpus} CPUs", "as many threads as CPUs", f"add --cpus {threads}"
        )
    if plan.given.get("device") == "cuda" and not gpus:
        raise SettingError("device is cuda, and a run has no GPU", "a GPU for each run", "add --gpus 1")


def why(error: Exception, errors: Any) -> str:
    """Why a run's process is gone."""
    if isinstance(error, errors.NodeDiedError):
        return "its machine is gone"
    if isinstance(error, errors.OutOfMemoryError):
        return "its machine ran out of memory, and Ray ended it"
    return "its process has died"


def cannot_run(error: Exception) -> InputError:
    """The machines of the cluster cannot do what they are asked to."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in reversed(lines) if "Error" in line), lines[-1] if lines else type(error).__name__)
    return InputError(
        f"The machines of the cluster cannot carry out runs: {said[:300]}",
        "the same Glassloom, torch and Python on all of them",
        "install them there; the same command then goes on",
    )
