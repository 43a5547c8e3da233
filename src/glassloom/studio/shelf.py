"""Models that are kept open, so that the first token need not wait for them; the one longest unused goes."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from glassloom.errors import RunError
from glassloom.runs import Run
from glassloom.studio.folder import stamp_of
from glassloom.views.subject import Subject

Purpose = Literal["writing", "looking"]
"""Each has a model of its own, so that a long view holds up no continuation."""
KEPT = 8
"""So many models are kept open."""


@dataclass
class Opened:
    """A run's best checkpoint, ready. Whoever runs the model holds `lock`: probes and modes are the model's own."""

    subject: Subject
    stamp: tuple[int, ...]
    lock: threading.Lock = field(default_factory=threading.Lock)


class Shelf:
    """The models of the runs used last.

    >>> opened = Shelf().take(run, "writing")  # doctest: +SKIP
    >>> with opened.lock: opened.subject.model(tokens)  # doctest: +SKIP
    """

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._opened: OrderedDict[tuple[str, Purpose], Opened] = OrderedDict()

    def take(self, run: Run, purpose: Purpose) -> Opened:
        """The run's best checkpoint as it is now: the one that is open, or, where training made others, that.

        Raises:
            RunError: the run is damaged.
        """
        key, stamp = (str(run.path), purpose), stamp_of(run.path)
        with self._lock:
            known = self._opened.get(key)
            if known is None or known.stamp != stamp:
                known = Opened(opened(run), stamp)
            self._opened[key] = known
            self._opened.move_to_end(key)
            while len(self._opened) > self._kept:
                self._opened.popitem(last=False)
            return known


def opened(run: Run) -> Subject:
    """The run with the weights of its best checkpoint; once more where training has just put another in its place."""
    try:
        return Subject(run.model(), run.tokenizer, run.name, run)
    except (RunError, OSError) as first:
        run = Run(run.path)
        try:
            return Subject(run.model(), run.tokenizer, run.name, run)
        except OSError:
            raise RunError(f"Run {run.name} cannot be opened: {first}", "a whole run", "choose another") from first
