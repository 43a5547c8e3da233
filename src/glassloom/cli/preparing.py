"""What is shown while a text is fetched and turned into ids: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from glassloom.cli.output import aside, printable

PATIENCE_SECONDS = 1.0
"""What is done sooner than that is not worth a word."""


class Preparing:
    """Told what is being done and which fraction of it is; use it as a context."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.said: set[str] = set()
        self.bar: Progress | None = None
        self.tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, fraction: float) -> None:
        began = self.begun.setdefault(what, time.monotonic())
        if time.monotonic() - began < PATIENCE_SECONDS:
            return
        if sys.stderr.isatty():
            self.draw(what, fraction)
        elif what not in self.said:
            self.said.add(what)
            aside(f"{what} ...")

    def draw(self, what: str, fraction: float) -> None:
        """Move the bar of what is being done."""
        if self.bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn())
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
        if what not in self.tasks:
            self.tasks[what] = self.bar.add_task(printable(what), total=1.0)
        self.bar.update(self.tasks[what], completed=fraction)

    def __enter__(self) -> "Preparing":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()
