"""Carry out planned runs, one after the other or several at once; what is finished is not done again."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from glassloom.comparison.grid import Planned
from glassloom.comparison.results import Status
from glassloom.config import Config
from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, RunError, StorageError, TrainingError
from glassloom.runs import load_run
from glassloom.training import Event, TrainingResult, train

OnEvent = Callable[[str, Event], None]
"""Told the run's id and what happened in it."""


@dataclass(frozen=True)
class Outcome:
    """How one planned run ended."""

    plan: Planned
    status: Status
    reason: str | None


def execute(
    planned: list[Planned],
    corpora: Mapping[str, Corpus],
    root: Path,
    *,
    jobs: int,
    replace: bool,
    command: str,
    on_event: OnEvent,
    stop: Callable[[], bool],
) -> list[Outcome]:
    """Run everything; a run that fails does not stop the others, a full disk does.

    `corpora` holds the prepared text for each run's id.
    """
    if jobs > 1:
        return side_by_side(planned, corpora, root, jobs, replace, command, on_event, stop)
    outcomes = []
    for plan in planned:
        if stop():
            outcomes.append(Outcome(plan, "interrupted", "not begun"))
            continue
        outcomes.append(one(plan, corpora[plan.id], root, replace, command, partial(on_event, plan.id), stop))
    return outcomes


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


def side_by_side(
    planned: list[Planned],
    corpora: Mapping[str, Corpus],
    root: Path,
    jobs: int,
    replace: bool,
    command: str,
    on_event: OnEvent,
    stop: Callable[[], bool],
) -> list[Outcome]:
    """Several runs at once, each in a process with its share of the threads."""
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    queue: Any = context.Queue()
    halt = context.Event()
    listener = threading.Thread(target=listen, args=(queue, on_event), daemon=True)
    listener.start()
    try:
        with ProcessPoolExecutor(jobs, context, initializer=begin_worker, initargs=(queue, halt, os.getpid())) as pool:
            futures = [
                pool.submit(
                    work,
                    Planned(plan.id, plan.setting, {**plan.given, "threads": plan.given.get("threads", threads)}),
                    corpora[plan.id], root, replace, command,
                )
                for plan in planned
            ]  # fmt: skip
            waiting = set(futures)
            while waiting:
                waiting = wait_for(waiting, timeout=0.2).not_done
                if stop():
                    halt.set()
            return [future.result() for future in futures]
    finally:
        queue.put(None)
        listener.join(timeout=5)
        queue.close()


def listen(queue: Any, on_event: OnEvent) -> None:
    """Hand on what the workers tell, until None comes."""
    while (told := queue.get()) is not None:
        on_event(*told)


_worker: dict[str, Any] = {}


def begin_worker(queue: Any, halt: Any, parent: int) -> None:
    """A worker leaves Ctrl-C to its parent, and stops when that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.update(queue=queue, halt=halt, parent=parent)


def work(plan: Planned, corpus: Corpus, root: Path, replace: bool, command: str) -> Outcome:
    """One run inside a worker."""

    def stop() -> bool:
        return bool(_worker["halt"].is_set()) or os.getppid() != _worker["parent"]

    if stop():
        return Outcome(plan, "interrupted", "not begun")
    return one(plan, corpus, root, replace, command, lambda event: _worker["queue"].put((plan.id, event)), stop)
