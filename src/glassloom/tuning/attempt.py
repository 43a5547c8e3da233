"""One trial carried out: an ordinary training into a run folder, told to the search at each of its evaluations.

This is the one place where a trial is trained: what runs trials elsewhere calls `attempt` there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassloom.data.corpus import Corpus
from glassloom.errors import GlassloomError, InputError, StorageError, TrainingError
from glassloom.training import train
from glassloom.training.events import Began, Evaluated, Event, Stepped
from glassloom.training.session import ignore
from glassloom.tuning.results import Ended

Report = Callable[[int, float], bool]
"""Told which evaluation it was and the loss; says whether the trial is hopeless."""


@dataclass(frozen=True)
class Order:
    """What a trial is to train: plain data."""

    root: str
    name: str
    given: dict[str, Any]
    evaluations: int
    unit: str
    """Which figure of an evaluation is reported."""
    command: str = ""


@dataclass(frozen=True)
class Ending:
    """How a trial ended; `loss` only where it came to its end."""

    state: Ended
    reason: str
    loss: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    error: GlassloomError | None = None
    """Of an unfit trial: what was wrong."""


def attempt(
    order: Order,
    corpus: Corpus,
    report: Report,
    stop: Callable[[], bool],
    on_event: Callable[[Event], None] = ignore,
) -> Ending:
    """Train until the trial's budget is used, or it is reported to be hopeless, or `stop()`; goes on where it was.

    Validation text decides, never the test split. A trial that is stopped is a run that was interrupted: `train
    --resume` would go on with it.

    Raises:
        StorageError: the disk is full; the trial can be gone on with.
        RunError: its run folder is another's, or in use.
    """
    hopeless = [False]
    share = [0.0]

    def watch(event: Event) -> None:
        match event:
            case Began():
                share[0] = 0.0
            case Stepped():
                share[0] = event.progress
            case Evaluated():
                value = float(event.valid[order.unit])
                which = max(1, math.floor(share[0] * order.evaluations + 1e-9))
                hopeless[0] = report(which, value) or hopeless[0]
        on_event(event)

    try:
        result = train(
            corpus, order.given, root=Path(order.root), name=order.name, resume=True, command=order.command,
            on_event=watch, stop=lambda: hopeless[0] or stop(), with_baselines=False,
        )  # fmt: skip
    except StorageError:
        raise
    except TrainingError as error:
        return Ending("failed" if "emory" in error.what else "diverged", error.what)
    except InputError as error:
        return Ending("unfit", str(error), error=error)
    if result.status == "interrupted":
        return (
            Ending("stopped", "hopeless beside the others")
            if hopeless[0]
            else Ending("interrupted", "to be gone on with")
        )
    facts = {"steps": result.steps, "tokens_per_second": round(result.tokens_per_second)}
    if result.status != "finished":  # a training that had ended badly was looked up
        return Ending("diverged", result.reason, facts=facts)
    return Ending("finished", result.reason, float(result.best[order.unit]), facts)
