"""Several runs at once as one sees them: a live table of what runs where; plain lines where there is no terminal."""

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from glassloom.cli.output import printable
from glassloom.cli.progress import SHORT, Watcher, opening
from glassloom.comparison.execution import Ended, Lost, Placed
from glassloom.training.events import Began, Evaluated, Stepped

if TYPE_CHECKING:
    from glassloom.comparison.execution import RunEvent

DRAW_SECONDS = 0.25
LEAST_ROWS = 5


@dataclass
class Shown:
    """What is known of one run: where it is, and how far."""

    watcher: Watcher
    place: str = ""
    deaths: int = 0
    status: str = "waits"
    last: Stepped | None = None


class PlacedWatchers:
    """The table of many runs. It needs one line a run that is under way, and counts those that wait and have ended."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.runs: dict[str, Shown] = {}
        self.live: Live | None = None
        self.drawn = 0.0
        self.is_terminal = self.console.is_terminal and (console is not None or sys.stderr.isatty())

    def __call__(self, id: str, event: "RunEvent") -> None:
        run = self.runs.setdefault(id, Shown(Watcher(quiet=True, name=id)))
        match event:
            case Placed():
                run.place, run.status = event.place, "starts"
                self.line(f"{id}: on {event.place}")
            case Lost():
                run.status, run.deaths = "waits", run.deaths + 1
                self.line(f"{id}: lost with {event.place} ({event.reason}); it goes on from its last checkpoint")
            case Began():
                run.watcher.facts, run.status = event.facts, "trains"
                for text in opening(event)[1:]:
                    self.line(f"{id}: {text}")
            case Stepped():
                run.last = event
            case Evaluated():
                run.watcher.valid = event
                if not self.is_terminal and run.last:
                    self.line(run.watcher.status(run.last))
            case Ended():
                run.status = event.status
                self.line(f"{id}: {event.status}{f': {event.reason}' if event.reason else ''}")
        self.draw()

    def draw(self, at_once: bool = False) -> None:
        """Show the table anew, a few times a second at most."""
        if not self.is_terminal or (time.monotonic() - self.drawn < DRAW_SECONDS and not at_once):
            return
        self.drawn = time.monotonic()
        if self.live is None:
            self.live = Live(console=self.console, auto_refresh=False, transient=True)
            self.live.start()
        self.live.update(self.table(), refresh=True)

    def table(self) -> Any:
        """The runs under way, as many as the terminal has lines for, and how many there are of each state."""
        found = Table(box=None, padding=(0, 2, 0, 0))
        for name in ("run", "where", "step", "done"):
            found.add_column(name, justify="right" if name in ("step", "done") else "left", no_wrap=True)
        found.add_column("train", justify="right", no_wrap=True)
        found.add_column("valid", justify="right", no_wrap=True)
        under_way = [(id, run) for id, run in self.runs.items() if run.status in ("starts", "trains")]
        room = max(LEAST_ROWS, self.console.height - 4)
        for id, run in under_way[:room]:
            found.add_row(*(Text(printable(cell)) for cell in cells(id, run)))
        more = [f"{len(under_way) - room} more under way"] if len(under_way) > room else []
        counts = {status: sum(run.status == status for run in self.runs.values()) for status in STATES}
        counted = [f"{count:,} {status}" for status, count in counts.items() if count]
        lost = sum(run.deaths for run in self.runs.values())
        if lost:
            counted.append(f"{lost:,} moved to another process")
        return Group(found, Text(", ".join([*more, *counted])))

    def line(self, text: str) -> None:
        """One line that stays."""
        self.console.print(Text(printable(text)))

    def close(self) -> None:
        """Give the terminal back, whatever happened."""
        if self.live:
            self.draw(at_once=True)
            self.live.stop()
            self.live = None


STATES = ("waits", "trains", "finished", "interrupted", "diverged", "failed")


def cells(id: str, run: Shown) -> list[str]:
    """One run's line in the table."""
    if run.last is None or not run.watcher.facts:
        return [id, run.place, "", run.status, "", ""]
    watcher, last = run.watcher, run.last
    valid = f"{watcher.in_unit(watcher.valid.valid_nats, 'valid')} {SHORT[watcher.unit]}" if watcher.valid else ""
    return [id, run.place, f"{last.step:,}", f"{last.progress:.0%}", watcher.in_unit(last.train_nats), valid]
