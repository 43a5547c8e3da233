"""Views, files and reports made apart: each by a process of its own, which is killed where it takes too long.

A thread cannot be ended from outside; a view that did not end would keep its thread and its model, and all later views
of the run would wait for it. So they are made by a few processes (`maker`), which are kept for the next request, for it
takes seconds to begin one; one that is killed, by the clock or because its reader has left, is begun anew when needed.
"""

import json
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
from anyio import CapacityLimiter, to_thread

from glassloom.errors import InputError, RunError

LONGEST_SECONDS = 120.0
AT_ONCE = 2
"""So many are made at once; others wait."""


@dataclass(frozen=True)
class Made:
    """What came back: content, of which kind, and the name of the file if it is one; or an error and its status."""

    content: bytes
    kind: str = ""
    name: str = ""
    error: dict[str, Any] | None = None
    status: int = 200


class Process:
    """One process that makes views, from outside."""

    def __init__(self, folder: Path) -> None:
        self._talking = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "glassloom.studio.maker", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is the studio's, which then ends it
        )  # fmt: skip

    @property
    def lives(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: dict[str, Any]) -> Made:
        """Ask, and wait.

        Raises:
            RunError: it ended meanwhile.
        """
        with self._talking:
            asked, answers = self._process.stdin, self._process.stdout
            assert asked is not None
            assert answers is not None
            with suppress(OSError, ValueError):
                asked.write(json.dumps(request).encode() + b"\n")
                asked.flush()
                about = json.loads(answers.readline())
                content = answers.read(about.pop("bytes"))
                return Made(content, **about)
        raise RunError(
            "The process that makes views has ended, perhaps for want of memory", "a view that ends",
            "ask for less, or use the command line",
        )  # fmt: skip

    def end(self) -> None:
        """Kill it; whoever waits for it waits no more."""
        self._process.kill()
        self._process.wait()
        with self._talking:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    with suppress(OSError):  # what was never read
                        pipe.close()


class Apart:
    """A few processes over one folder of runs, begun when they are needed.

    >>> made = await Apart(Path("runs")).make("look", {"run": "gru", "view": "surprise"})  # doctest: +SKIP
    """

    def __init__(self, folder: Path, seconds: float = LONGEST_SECONDS) -> None:
        self.seconds = seconds
        self._folder, self._room = folder, CapacityLimiter(AT_ONCE)
        self.idle: list[Process] = []
        self.busy: list[Process] = []

    async def make(self, what: str, asked: dict[str, Any]) -> Made:
        """Have it made; where the asker is cancelled, or it takes too long, the process is ended.

        Raises:
            InputError: it takes too long. RunError: the process ended by itself.
        """
        async with self._room:
            self.idle = [one for one in self.idle if one.lives]
            process = self.idle.pop() if self.idle else Process(self._folder)
            self.busy.append(process)
            whole = False
            try:
                with anyio.fail_after(self.seconds):
                    made: Made = await to_thread.run_sync(
                        process.ask, {"what": what, "asked": asked}, abandon_on_cancel=True
                    )
                whole = True
                return made
            except TimeoutError:
                raise InputError(
                    f"This takes more than {self.seconds:g} seconds and was ended",
                    "a shorter text, or less of it",
                    "ask for less, or use the command line, which waits",
                ) from None
            finally:
                if whole:
                    self.idle.append(process)
                else:
                    process.end()
                self.busy.remove(process)

    def warm(self) -> None:
        """Begin a process where none is: someone is about to ask."""
        if not self.idle and not self.busy:
            self.idle.append(Process(self._folder))

    def close(self) -> None:
        """End all."""
        for process in (*self.idle, *self.busy):
            process.end()
        self.idle.clear()
