"""Ctrl-C and SIGTERM end the program with 130 or 143: at once, or while a model trains after the step, saved."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(KeyboardInterrupt):
    """The process was asked to stop; `exit_code` is 128 and the signal's number, as shells have it."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class Interrupt:
    """Whether, and by which signal, the process was asked to stop.

    Before training begins a signal ends the program at once (nothing is half-written: see `runs`). From `defer()` on
    the first one only asks for the end; training finishes its step and saves. A second one ends it at once.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.deferred = False

    def __call__(self) -> bool:
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What to exit with; 0 where no signal came."""
        return 128 + self.signal if self.signal else 0

    def defer(self) -> None:
        """Training has begun: a signal waits for the step to end."""
        self.deferred = True

    def hasten(self) -> None:
        """Training has ended: a signal need not wait any more."""
        self.deferred = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take a signal."""
        if self.signal is not None or not self.deferred:
            raise Stopped(number)
        self.signal = number


@contextmanager
def interruptible() -> Iterator[Interrupt]:
    """Catch the signals while the block runs."""
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
