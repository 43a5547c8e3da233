"""Several runs at once on this machine, each in a process with its share of the threads.

Every process has a pipe of its own and shares no lock with others: one that is killed, whatever it was doing, takes
nothing with it but its run, which goes on from its checkpoint in a new one.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.connection import wait as wait_for
from multiprocessing.process import BaseProcess
from typing import Any

import torch

from glassloom.comparison.execution import MOST_DEATHS, Ended, Lost, Outcome, Placed, Work, fitted_to, one
from glassloom.comparison.grid import Planned
from glassloom.data.corpus import Corpus

HALT = "halt"
GONE = (EOFError, ConnectionError, OSError)
"""What a pipe raises whose other end is no more."""


class Worker:
    """A process that waits for runs: what it trains, and which texts it has already."""

    def __init__(self, process: BaseProcess, pipe: "Connection[Any, Any]") -> None:
        self.process, self.pipe = process, pipe
        self.run: tuple[Planned, Corpus] | None = None
        self.texts: dict[int, Corpus] = {}
        self.is_halted = False


class Processes:
    """A crew of so many processes of this machine."""

    def __init__(self, work: Work, jobs: int) -> None:
        self.work, self.jobs = work, jobs
        self.threads = max(1, torch.get_num_threads() // jobs)
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[Worker] = []
        self.deaths: dict[str, int] = {}

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:  # a run that is still under way (an error, a second Ctrl-C) saves first
            with suppress(*GONE):
                worker.pipe.send(HALT)
        for worker in self.workers:
            worker.pipe.close()
            worker.process.join()

    def room(self) -> int:
        """As many as there may be processes."""
        return self.jobs

    def begin(self, plan: Planned, corpus: Corpus) -> None:
        """Hand the run to a process that is free, or to a new one."""
        worker = next((worker for worker in self.workers if worker.run is None), None) or self.new_worker()
        work, replace = self.work, self.work.replaces(plan.id)
        text = None if id(corpus) in worker.texts else corpus  # sent once; the text is kept, so its id stays its own
        fitted = fitted_to(plan, work.root, replace, threads=self.threads)
        worker.texts[id(corpus)], worker.run, worker.is_halted = corpus, (plan, corpus), False
        with suppress(*GONE):  # one that died meanwhile is found out by `ended`
            worker.pipe.send((fitted, id(corpus), text, work.root, replace, work.command))

    def new_worker(self) -> Worker:
        """A process that waits for runs."""
        ours, theirs = self.context.Pipe()
        process = self.context.Process(target=serve, args=(theirs, os.getpid()))
        process.start()
        theirs.close()
        self.workers.append(Worker(process, ours))
        return self.workers[-1]

    def ended(self, seconds: float, stop: Callable[[str], bool]) -> list[Outcome]:
        """The runs that the processes gave back."""
        busy = {worker.pipe: worker for worker in self.workers if worker.run is not None}
        for worker in busy.values():
            if worker.run is not None and not worker.is_halted and stop(worker.run[0].id):
                worker.is_halted = True
                with suppress(*GONE):
                    worker.pipe.send(HALT)
        outcomes = []
        for pipe in wait_for(list(busy), seconds):
            try:
                outcomes += self.heard(busy[pipe])  # type: ignore[index]
            except GONE:
                outcomes += self.go_on(busy[pipe])  # type: ignore[index]
        for outcome in outcomes:
            self.work.told(outcome.plan.id, Ended(outcome.status, outcome.reason))
        return outcomes

    def heard(self, worker: Worker) -> list[Outcome]:
        """Take in everything that a process has said; how its run ended, where it has."""
        while worker.pipe.poll():
            said = worker.pipe.recv()
            if isinstance(said, Outcome):
                worker.run = None
                return [said]
            if isinstance(said, Exception):
                worker.run = None
                raise said
            self.work.told(*said)
        return []

    def go_on(self, worker: Worker) -> list[Outcome]:
        """Begin a run again whose process is gone; what becomes of it where that was too often."""
        assert worker.run is not None
        plan, corpus = worker.run
        self.workers.remove(worker)
        worker.pipe.close()
        worker.process.join()
        deaths = self.deaths[plan.id] = self.deaths.get(plan.id, 0) + 1
        if deaths >= MOST_DEATHS:
            return [Outcome(plan, "failed", given_up_after(deaths))]
        self.work.told(plan.id, Lost(f"process {worker.process.pid}", "it has died"))
        if worker.is_halted:
            return [Outcome(plan, "interrupted", "its process has died; saved is what its last checkpoint holds")]
        self.begin(plan, corpus)
        return []


def given_up_after(deaths: int) -> str:
    """Why a run was given up."""
    return f"its process was lost {deaths} times; what is on disk goes on with the same command"


def serve(pipe: "Connection[Any, Any]", parent: int) -> None:
    """What a process does: train what comes through the pipe until that is closed, and leave Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    texts: dict[int, Corpus] = {}
    halted = False

    def stop() -> bool:
        nonlocal halted
        try:
            halted = halted or os.getppid() != parent or (pipe.poll() and pipe.recv() == HALT)
        except GONE:
            halted = True
        return halted

    def tell(said: Any) -> None:
        with suppress(*GONE):  # nobody listens any more: `stop` says so, and the run is saved
            pipe.send(said)

    with suppress(*GONE):
        while True:
            order = pipe.recv()
            if order == HALT:  # it came when the run had ended
                continue
            halted = False
            plan, key, text, root, replace, command = order
            if text is not None:
                texts[key] = text
            tell((plan.id, Placed(f"process {os.getpid()}")))
            on_event = partial(tell_of, tell, plan.id)
            try:
                told: Outcome | Exception = one(plan, texts[key], root, replace, command, on_event, stop)
            except Exception as error:  # whatever it is, the parent raises it
                told = error
            tell(told)


def tell_of(tell: Callable[[Any], None], id: str, event: Any) -> None:
    """Tell what happened in a run."""
    tell((id, event))
