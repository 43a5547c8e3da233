"""Baselines beside a training: a process of low priority that writes each figure into the corpus's cache once known."""

import contextlib
import os
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from types import TracebackType

from glassloom.data.baselines.measure import METHODS, Baseline, cached, compute
from glassloom.data.corpus import Corpus
from glassloom.errors import notice


class BaselineJob:
    """The baselines of a split, while they are being computed.

    The process ends with this one, however this one ends: it watches a pipe that only this one holds. What it has not
    finished is computed the next time. Nothing is started where all is known already.

    >>> from glassloom.data import load_text
    >>> with BaselineJob.start(load_text("the cat sat on the mat. " * 30)) as job:
    ...     sorted(job.wait())
    ['bigram', 'kneser-ney-5', 'uniform', 'unigram', 'xz']
    """

    def __init__(self, folder: Path, split: str, process: "subprocess.Popen[bytes] | None") -> None:
        self._folder, self._split, self._process = folder, split, process
        self._finalizer = weakref.finalize(self, _end, process) if process else None

    @classmethod
    def start(cls, corpus: Corpus, split: str = "valid") -> "BaselineJob":
        """Begin to compute what is not known yet, and return at once. Raises SettingError for an unknown split."""
        if len(cached(corpus.cache, split)) == len(METHODS):
            return cls(corpus.cache, split, None)
        process = subprocess.Popen(
            # -P: the folder that the user happens to be in holds no modules of ours
            [sys.executable, "-P", "-m", "glassloom.data.baselines", str(corpus.cache.absolute()), split],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=True,  # Ctrl-C is for the training; what that decides is told through the pipe
            creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),
        )
        return cls(corpus.cache, split, process)

    @property
    def is_running(self) -> bool:
        """Whether the process is still at it."""
        return self._process is not None and self._process.poll() is None

    def ready(self) -> dict[str, Baseline]:
        """The baselines known by now; cheap enough to ask every second. A notice says so, once, if the rest failed."""
        if self._process is not None and self._process.poll() is not None:
            process, self._process = self._process, None
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            self.stop()
            if process.returncode:
                reason = said.splitlines()[-1] if said else f"the process ended with {process.returncode}"
                notice(f"Not all baselines could be computed: {reason}")
        return cached(self._folder, self._split)

    def wait(self, timeout: float | None = None) -> dict[str, Baseline]:
        """The baselines known when all are, or after `timeout` seconds."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout)
        return self.ready()

    def stop(self) -> None:
        """End the process, if it is still there; what it has written stays."""
        self._process = None
        if self._finalizer is not None:
            self._finalizer()

    def __enter__(self) -> "BaselineJob":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()  # whatever it was writing is renamed into place when whole, or never seen
    process.wait()
    for pipe in (process.stdin, process.stderr):
        if pipe is not None:
            pipe.close()


def main(folder: str, split: str) -> None:
    """What the process does."""
    if hasattr(os, "nice"):
        os.nice(19)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    compute(Path(folder), split)


def _end_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock this thread would hold when the interpreter ends
        pass
    os._exit(1)
