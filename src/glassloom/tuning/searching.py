"""Search: settings tried one after the other, each trial an ordinary run, until the trials or the time are used up."""

import importlib.util
import multiprocessing
import os
import queue as queues
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from glassloom.config import plain_names
from glassloom.errors import GlassloomError, SettingError, notice
from glassloom.runs.run import check_name
from glassloom.training.prepared import default_name
from glassloom.training.resolve import open_corpus
from glassloom.training.session import never
from glassloom.tuning.asked import Asked, agreed, asked_of, checked_numbers, forget
from glassloom.tuning.budget import moment_of, time_used
from glassloom.tuning.results import Search, Trial
from glassloom.tuning.space import fitting, space_of, written

TRIALS, MINUTES = 50, 30.0


def check_optuna() -> None:
    """Whether Optuna is there.

    Raises:
        SettingError: it is not installed.
    """
    if importlib.util.find_spec("optuna") is None:
        raise SettingError(
            "A search needs Optuna, which is not installed",
            "the extra search",
            "install it with pip install 'glassloom[search]'",
        )


def search(corpus: Any, model: str = "gru", *, command: str = "glassloom.search", **asked: Any) -> Search:
    """Search an architecture's settings on a text, and write the page about it; see `run_search` for the arguments.

    >>> search("novel.txt", "gru", trials=50, minutes=30).best.settings  # doctest: +SKIP
    """
    found = run_search(corpus, model, command=command, **asked)
    from glassloom.tuning.page import write_search

    write_search(found, Path(found.folder), command)
    return found


def run_search(
    corpus: Any,
    model: str = "gru",
    *,
    trials: int = TRIALS,
    minutes: float = MINUTES,
    each: float | None = None,
    space: Sequence[str] = (),
    processes: int = 1,
    runs: str | Path = "runs",
    name: str | None = None,
    replace: bool = False,
    command: str = "glassloom.search",
    on_begin: Callable[[Asked, float], None] = lambda asked, used: None,
    on_told: Callable[[Any], None] = lambda told: None,
    stop: Callable[[], bool] = never,
    **settings: Any,
) -> Search:
    """Search settings on a text: `trials` of them within `minutes` of the clock, whichever ends first; no page yet.

    Each trial is a run folder `runs/NAME/trial-NNNN`; the journal beside them lets the same call go on, and several
    processes work at once. What is chosen is chosen by held-out validation text; the test split is not read.
    `settings` fix what shall not be searched, `space` names what shall be (`lr=1e-4..1e-2:log`, `norm=pre,post`)
    instead of the architecture's own list.

    Raises:
        InputError: a text, a setting or a space that cannot be used; Optuna is not installed; another search's name.
        StorageError: the folder cannot be written; what was done stays.
    """
    check_optuna()
    checked_numbers(trials=trials, minutes=minutes, processes=processes, **({} if each is None else {"each": each}))
    given = plain_names(settings)
    dimensions = space_of(space, model, given)
    text = open_corpus(corpus, fitting(model, given, dimensions))
    if text.memorises:
        raise SettingError(
            "A search needs held-out text, and this split holds none out", "a validation split", "drop --split all"
        )
    asked = asked_of(
        model, text, given, dimensions, trials=trials, minutes=minutes, processes=processes, each=each
    )  # fmt: skip
    name = check_name(name) if name else default_name(Path(runs), f"{text.name}-{model}-search", resume=True)
    folder = Path(runs) / name
    emptied = replace and forget(folder)
    own_budget = each is not None or asked.budget[0] != "minutes"
    asked = agreed(folder, asked, own_budget, emptied)
    return carried_on(
        folder, asked, corpus, text, trials=trials, seconds=60 * minutes, processes=processes, command=command,
        on_begin=on_begin, on_told=on_told, stop=stop,
    )  # fmt: skip


def carried_on(
    folder: Path,
    asked: Asked,
    source: Any,
    text: Any,
    *,
    trials: int,
    seconds: float,
    processes: int,
    command: str,
    on_begin: Callable[[Asked, float], None],
    on_told: Callable[[Any], None],
    stop: Callable[[], bool],
) -> Search:
    """Do what is left of a search, and say how it stands."""
    from glassloom.tuning.journal import Journal
    from glassloom.tuning.working import Task, work

    journal = Journal(folder, asked.dimensions(), asked.evaluations)
    used = time_used(journal.sessions())
    on_begin(asked, used)
    task = Task(str(folder), asked, source, text, trials, time.time() + seconds - used, command)
    if processes > 1:
        side_by_side(task, processes, on_told, stop)
    else:
        work(task, on_told, stop)
    return standing(folder, asked, source if isinstance(source, (str, Path)) else text.name, interrupted=stop())


def side_by_side(task: Any, processes: int, on_told: Callable[[Any], None], stop: Callable[[], bool]) -> None:
    """Several processes on the same journal, each with its share of the threads.

    Raises:
        GlassloomError: what the first of them met that none can go on from.
    """
    from glassloom.tuning.working import work_apart

    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    halt = context.Event()
    threads = max(1, torch.get_num_threads() // processes)
    tasks = [replace(task, process=number, threads=threads) for number in range(processes)]
    workers = [context.Process(target=work_apart, args=(one, told, halt, os.getpid())) for one in tasks]
    errors: list[GlassloomError] = []
    for worker in workers:
        worker.start()
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            what = told.get(timeout=0.2)
        except queues.Empty:
            if not alive:
                break
        else:
            if isinstance(what, GlassloomError):
                errors.append(what)
                halt.set()
            else:
                on_told(what)
        if stop():
            halt.set()
    for worker in workers:
        worker.join()
        if worker.exitcode and not errors:
            notice(f"A process of the search is gone (exit code {worker.exitcode}); the same command goes on with it.")
    if errors:
        raise errors[0]


def standing(folder: Path, asked: Asked, source: Any, *, interrupted: bool = False) -> Search:
    """A search as it stands, from its folder."""
    from optuna.trial import TrialState

    from glassloom.tuning.journal import Journal
    from glassloom.tuning.working import run_name

    journal = Journal(folder, asked.dimensions(), asked.evaluations)
    sessions = journal.sessions()
    trials = []
    for one in journal.trials():
        if one.state == TrialState.FAIL:
            continue
        own = one.user_attrs.get("sessions", [])
        complete = one.state == TrialState.COMPLETE
        state = "finished" if complete else str(one.user_attrs.get("state", "interrupted"))
        trials.append(
            Trial(
                number=one.number, run=str(folder / run_name(one.number)),
                state="interrupted" if one.state == TrialState.RUNNING else state,  # type: ignore[arg-type]
                reason=str(one.user_attrs.get("reason", "")),
                settings=journal.read(one.params) if len(one.params) == len(asked.space) else dict(one.params),
                loss=one.value if complete else None,
                judged=tuple(sorted(one.intermediate_values.items())),
                seconds=time_used(own),
                ended_at=moment_of(max((end for _, end in own), default=0.0), sessions),
            )
        )  # fmt: skip
    found = Search(
        name=folder.name, folder=str(folder), model=asked.model, corpus=asked.corpus, unit=asked.unit,  # type: ignore[arg-type]
        space=asked.space, fixed=asked.fixed, budget=each_in_words(asked), evaluations=asked.evaluations,
        trials=tuple(trials), seconds=time_used(sessions), command="", importance=journal.importance(),
        status="interrupted" if interrupted else "finished",
    )  # fmt: skip
    return found if found.best is None else replace(found, command=command_of(asked, found.best.settings, source))


def each_in_words(asked: Asked) -> str:
    """What each trial was given, as a sentence.

    The first trial is never stopped early.
    """
    name, amount = asked.budget
    told = f"{60 * amount:.3g} s of training" if name == "minutes" else f"{amount:,g} {name.replace('_', ' ')}"
    return f"Each trial had {told} at full length, judged {asked.evaluations} times."


def command_of(asked: Asked, settings: Mapping[str, Any], source: Any) -> str:
    """The command that trains with these settings for a trial's full budget, evaluated and sampled as usual."""
    name, amount = asked.budget
    words = ["glassloom", "train", str(source), "--model", asked.model]
    for key, value in {**asked.fixed, **settings}.items():
        flag = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", exact(value)]
    return shlex.join([*words, f"--{name.replace('_', '-')}", exact(amount)])


def exact(value: Any) -> str:
    """A value as it is typed, with all its digits.

    >>> exact(0.0031230000000000003), exact(4.0), exact(None)
    ('0.0031230000000000003', '4', 'none')
    """
    return repr(value) if isinstance(value, float) and value != int(value) else written(value)
