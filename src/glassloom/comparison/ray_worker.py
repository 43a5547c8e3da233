"""What a process of a Ray cluster does: train one run into a folder that all machines see, and tell of it.

It calls the same function as a run on this machine. Between steps it reports to the board, one call at a time, so that
a slow line never holds up training; the board's answer says whether to save and end.
"""

import dataclasses
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import glassloom
from glassloom.comparison.execution import Lost, Outcome, Placed, RunEvent, one
from glassloom.comparison.grid import Planned
from glassloom.comparison.ray_board import Told
from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, InputError
from glassloom.runs.lock import is_locked
from glassloom.training import Began, Evaluated, Finished, Sampled, Saved, Stepped

KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (Placed, Lost, Began, Stepped, Evaluated, Sampled, Saved, Finished)
}
REPORT_SECONDS = 0.2
"""Between two reports to the board."""
LOCK_PATIENCE_SECONDS = 120.0
"""How long a lost process may still hold its run's lock: a file server frees a dead machine's locks after its lease."""
FOLDER_PATIENCE_SECONDS = 10.0
"""How long a file may need to appear on another machine of a network file system."""


@dataclasses.dataclass(frozen=True)
class Order:
    """One run for a process of the cluster."""

    plan: Planned
    root: Path
    replace: bool
    command: str
    attempt: int
    marker: str
    """A file under `root` that whoever sees the same folder finds."""
    version: str


def plain(id: str, event: RunEvent) -> Told:
    """An event as plain data."""
    return id, type(event).__name__, {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}


def as_event(told: Told) -> tuple[str, RunEvent]:
    """The run's id and the event that `plain` was given."""
    id, kind, fields = told
    return id, KINDS[kind](**fields)


class Reporter:
    """Tells the board what happens in a run, of the steps since the last report the last one, and hears its answer."""

    def __init__(self, board: Any, id: str, attempt: int) -> None:
        self.board, self.id, self.attempt = board, id, attempt
        self.waiting: list[RunEvent] = []
        self.answer: Any = None
        self.reported = 0.0
        self.is_halted = self.report_now()

    def report_now(self) -> bool:
        """Tell everything and wait for the answer."""
        import ray

        told, self.waiting = [plain(self.id, event) for event in self.waiting], []
        self.reported = time.monotonic()
        return bool(ray.get(self.board.tell.remote(self.id, self.attempt, told)))

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, Stepped) and self.waiting and isinstance(self.waiting[-1], Stepped):
            self.waiting.pop()
        self.waiting.append(event)

    def stop(self) -> bool:
        """Whether the run is to save and end: somebody asked for it, or nobody is there to ask any more."""
        import ray

        if self.is_halted:
            return True
        try:
            if self.answer is not None and ray.wait([self.answer], timeout=0)[0]:
                self.is_halted, self.answer = bool(ray.get(self.answer)), None
            if self.answer is None and time.monotonic() - self.reported >= REPORT_SECONDS:
                told, self.waiting = [plain(self.id, event) for event in self.waiting], []
                self.reported = time.monotonic()
                self.answer = self.board.tell.remote(self.id, self.attempt, told)
        except ray.exceptions.RayError:
            self.is_halted = True
        return self.is_halted


def here(node: str) -> str:
    """This process, as people find it."""
    return f"{socket.gethostname()} (node {node[:8]}, process {os.getpid()})"


def carry_out(order: Order, corpus: Corpus, board: Any) -> Outcome | GlassloomError:
    """Train a run to its end; an error that ends the whole execution is given back as it is."""
    import ray

    try:
        check(order)
        report = Reporter(board, order.plan.id, order.attempt)
        if report.is_halted:
            return Outcome(order.plan, "interrupted", "not begun")
        report(Placed(here(ray.get_runtime_context().get_node_id())))
        report.is_halted = report.report_now()
        if order.attempt:
            wait_for_lock(order.root / order.plan.id)
        outcome = one(order.plan, corpus, order.root, order.replace, order.command, report, report.stop)
        report.report_now()
        return outcome
    except GlassloomError as error:
        return error


def check(order: Order) -> None:
    """Whether this process has the same Glassloom, and sees the same folder.

    Raises:
        InputError: it has not, or does not.
    """
    if order.version != glassloom.__version__:
        raise InputError(
            f"{socket.gethostname()} has Glassloom {glassloom.__version__}, and this machine {order.version}",
            "the same version on all machines of the cluster",
            "install it there",
        )
    end = time.monotonic() + FOLDER_PATIENCE_SECONDS
    while not (order.root / order.marker).exists():
        if time.monotonic() > end:
            raise InputError(
                f"{socket.gethostname()} does not see {order.root}",
                "a folder that all machines of the cluster see under the same path",
                "choose another --out",
            )
        with suppress(OSError):
            os.listdir(order.root)  # what a network file system remembers of a folder is looked up anew
        time.sleep(0.1)


def wait_for_lock(folder: Path) -> None:
    """Wait until a process that was given up for lost has let go of its run; who waits too long is refused there."""
    end = time.monotonic() + LOCK_PATIENCE_SECONDS
    while folder.is_dir() and is_locked(folder) and time.monotonic() < end:
        time.sleep(0.2)
