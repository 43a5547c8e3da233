"""Several runs at once on this machine, each in a process with its share of the threads."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from glassloom.comparison.execution import MOST_DEATHS, Ended, Lost, Outcome, Placed, Work, fitted_to, one
from glassloom.comparison.grid import Planned
from glassloom.data.corpus import Corpus


class Processes:
    """A crew of so many processes. One that dies (memory ran out, somebody killed it) takes the others with it, for the
    pool is then broken; all go on from their checkpoints in a new one."""

    def __init__(self, work: Work, jobs: int) -> None:
        self.work, self.jobs = work, jobs
        self.threads = max(1, torch.get_num_threads() // jobs)
        self.context = multiprocessing.get_context("spawn")
        self.queue: Any = self.context.Queue()
        self.halted: Any = self.context.Array("b", jobs, lock=False)
        self.free = list(range(jobs))
        self.running: dict[Future[Outcome], tuple[Planned, Corpus, int]] = {}
        self.deaths: dict[str, int] = {}

    def __enter__(self) -> "Processes":
        self.listener = threading.Thread(target=listen, args=(self.queue, self.work.told), daemon=True)
        self.listener.start()
        self.pool = self.new_pool()
        return self

    def __exit__(self, *_: object) -> None:
        self.halt_all()
        self.pool.shutdown()
        self.queue.put(None)
        self.listener.join(timeout=5)
        self.queue.close()

    def new_pool(self) -> ProcessPoolExecutor:
        """Processes that wait for runs."""
        return ProcessPoolExecutor(
            self.jobs, self.context, initializer=begin_worker, initargs=(self.queue, self.halted, os.getpid())
        )

    def halt_all(self) -> None:
        """Every run saves and ends."""
        for slot in range(self.jobs):
            self.halted[slot] = 1

    def room(self) -> int:
        """As many as there are processes."""
        return self.jobs

    def begin(self, plan: Planned, corpus: Corpus) -> None:
        """Hand the run to a process."""
        slot, work = self.free.pop(), self.work
        self.halted[slot] = 0
        replace = work.replaces(plan.id)
        fitted = fitted_to(plan, work.root, replace, threads=self.threads)
        task = self.pool.submit(work_on, fitted, corpus, work.root, replace, work.command, slot)
        self.running[task] = plan, corpus, slot

    def ended(self, seconds: float, stop: Callable[[str], bool]) -> list[Outcome]:
        """The runs whose processes gave them back."""
        for plan, _, slot in self.running.values():
            if stop(plan.id):
                self.halted[slot] = 1
        done = wait_for(self.running, seconds, FIRST_COMPLETED).done
        outcomes, lost = [], []
        for task in done:
            plan, corpus, slot = self.running.pop(task)
            self.free.append(slot)
            if isinstance(task.exception(), BrokenProcessPool):
                lost.append((plan, corpus))
            else:
                outcomes.append(task.result())
        if lost:
            outcomes += self.go_on(lost)
        for outcome in outcomes:
            self.queue.put((outcome.plan.id, Ended(outcome.status, outcome.reason)))  # behind what the run told itself
        return outcomes

    def go_on(self, lost: list[tuple[Planned, Corpus]]) -> list[Outcome]:
        """Begin runs again whose processes are gone; the outcomes of those that were begun too often."""
        while self.running:  # the pool is broken for all of them
            task, (plan, corpus, slot) = self.running.popitem()
            task.cancel()
            self.free.append(slot)
            lost.append((plan, corpus))
        self.pool.shutdown()
        self.pool = self.new_pool()
        given_up = []
        for plan, corpus in lost:
            deaths = self.deaths[plan.id] = self.deaths.get(plan.id, 0) + 1
            if deaths >= MOST_DEATHS:
                given_up.append(Outcome(plan, "failed", given_up_after(deaths)))
            else:
                self.work.told(plan.id, Lost("this machine", "a process of the pool has died"))
                self.begin(plan, corpus)
        return given_up


def given_up_after(deaths: int) -> str:
    """Why a run was given up."""
    return f"its process was lost {deaths} times; what is on disk goes on with the same command"


def listen(queue: Any, on_event: Callable[[str, Any], None]) -> None:
    """Hand on what the workers tell, until None comes."""
    while (told := queue.get()) is not None:
        on_event(*told)


_worker: dict[str, Any] = {}


def begin_worker(queue: Any, halted: Any, parent: int) -> None:
    """A worker leaves Ctrl-C to its parent, and stops when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.update(queue=queue, halted=halted, parent=parent)


def work_on(plan: Planned, corpus: Corpus, root: Path, replace: bool, command: str, slot: int) -> Outcome:
    """One run inside a worker."""

    def stop() -> bool:
        return bool(_worker["halted"][slot]) or os.getppid() != _worker["parent"]

    if stop():
        return Outcome(plan, "interrupted", "not begun")
    _worker["queue"].put((plan.id, Placed(f"process {os.getpid()}")))
    return one(plan, corpus, root, replace, command, lambda event: _worker["queue"].put((plan.id, event)), stop)
