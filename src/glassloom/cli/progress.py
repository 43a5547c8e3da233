"""Training as one sees it: a live line on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
from rich.text import Text

from glassloom.cli.output import duration, printable
from glassloom.cli.signals import Interrupt, interruptible
from glassloom.comparison.execution import Placed
from glassloom.training.events import Began, Evaluated, Event, Finished, Sampled, Saved, Stepped
from glassloom.units import Unit, in_unit, unit_of

SHORT: dict[Unit, str] = {"perplexity": "perplexity", "bits_per_character": "bits/char"}


class Watcher:
    """Shows the events of a training; everything goes to standard error, so that results stay alone on the other."""

    def __init__(self, *, quiet: bool = False, name: str = "") -> None:
        self.quiet, self.name = quiet, name
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.live: Live | None = None
        self.bar = Progress(
            BarColumn(24), TaskProgressColumn(), TextColumn("{task.fields[pace]}"), console=self.console
        )
        self.task = self.bar.add_task("", total=1.0, pace="")
        self.text = Text(no_wrap=True, overflow="ellipsis")
        self.facts: dict[str, Any] = {}
        self.last: Stepped | None = None
        self.valid: Evaluated | None = None
        self.first: tuple[float, int] = (0.0, 0)
        self.shown = 0.0

    def __call__(self, event: Event) -> None:
        if self.quiet:
            return
        match event:
            case Began():
                self.begin(event)
            case Stepped():
                self.last = event
                if self.live and event.seconds - self.shown > 0.2:
                    self.shown = event.seconds
                    self.refresh(event)
            case Evaluated():
                self.valid = event
                if self.live:
                    self.refresh(self.last)
                else:
                    self.line(self.status(self.last))
            case Sampled():
                self.sample(event)
            case Finished():
                self.end(event)
            case Saved():
                pass

    def begin(self, event: Began) -> None:
        self.facts = event.facts
        self.first = (0.0, 0)
        for text in opening(event):
            self.line(text)
        if self.console.is_terminal and sys.stderr.isatty():
            self.live = Live(Group(self.bar, self.text), console=self.console, refresh_per_second=5, transient=True)
            self.live.start()

    def refresh(self, stepped: Stepped | None) -> None:
        if stepped is not None:
            self.bar.update(self.task, completed=stepped.progress, pace="  ".join(self.pace(stepped)))
            self.text.plain = printable("  ".join(self.losses(stepped)))

    def status(self, stepped: Stepped | None) -> str:
        """`step 1,200  train 2.31  valid 2.40 bits/char  below bigram  41,000 tokens/s  0:48 left`."""
        return "  ".join([*self.losses(stepped), *self.pace(stepped)]) if stepped else self.name

    def losses(self, stepped: Stepped) -> list[str]:
        """Where training stands."""
        parts = [self.name] if self.name else []
        parts += [f"step {stepped.step:,}", f"train {self.in_unit(stepped.train_nats)}"]
        if self.valid:
            valid = self.in_unit(self.valid.valid_nats, "valid")
            parts.append(f"valid {valid} {SHORT[self.unit]}")
            if self.valid.passed:
                parts.append(f"below {self.valid.passed}")
        return parts

    def pace(self, stepped: Stepped) -> list[str]:
        """How fast it goes, and how long it will take."""
        parts = [f"{stepped.tokens / max(stepped.seconds, 1e-9):,.0f} tokens/s"]
        if stepped.progress > 0:
            parts.append(f"{duration(stepped.seconds * (1 / stepped.progress - 1))} left")
        return parts

    @property
    def unit(self) -> Unit:
        return unit_of(self.facts["tokenizer"])

    def in_unit(self, nats: float, split: str = "train") -> str:
        """A loss in the text's unit."""
        size = self.facts["sizes"][split]
        tokens = size["tokens"] + size.get("sequences", 0)  # the end of a sequence is predicted, too
        value = in_unit(nats, self.unit, tokens, size["characters"])
        if value is None:
            return "not finite"
        return f"{value:,.1f}" if self.unit == "perplexity" else f"{value:.3f}"

    def sample(self, event: Sampled) -> None:
        first = " ".join((event.prompt + event.text).split())[:150]
        self.line(f"  sample at step {event.step:,}: {first}")

    def end(self, event: Finished) -> None:
        if self.live:
            self.live.stop()
            self.live = None
            if self.last:
                self.line(self.status(self.last))
        self.line(
            f"{self.name + ': ' if self.name else ''}{event.status} after {duration(event.seconds)}: {event.reason}"
        )

    def line(self, text: str) -> None:
        self.console.print(Text(printable(text)))

    def close(self) -> None:
        """Give the terminal back, whatever happened."""
        if self.live:
            self.live.stop()
            self.live = None


def opening(event: Began) -> list[str]:
    """What is said before the first step."""
    facts = event.facts
    sizes = ", ".join(f"{name} {size['tokens']:,}" for name, size in facts["sizes"].items() if size["tokens"])
    lines = [
        f"{facts['corpus']}: {sizes} tokens ({facts['tokenizer']}, vocabulary {facts['vocabulary']:,}; "
        f"{facts['split_rule']}), SHA-256 {facts['sha256'][:12]}",
        f"{facts['model']}: {facts['parameters']:,} parameters on {facts['device']} in {facts['precision']}, "
        f"{facts['threads']} threads{kernels(facts)}{', compiled' * facts['compiled']}, seed {facts['seed']}; "
        f"about {duration(facts['estimated_seconds'])} -> {facts['run']}",
    ]
    if event.resumed:
        lines.append(f"goes on from the checkpoint at step {event.step:,}")
    return lines


def kernels(facts: Mapping[str, Any]) -> str:
    """What computes recurrent layers on a CPU: the instruction set, or plain torch where nothing was compiled."""
    if facts["model"] == "transformer" or facts["device"] != "cpu":
        return ""
    name = facts["kernels"]
    return f", {name} kernels" if name else ", plain torch (slower; no kernels were compiled at installation)"


class Watchers:
    """One watcher for each run of a comparison; with several at once, plain lines that name the run."""

    def __init__(self) -> None:
        self.of: dict[str, Watcher] = {}

    def __call__(self, id: str, event: Event) -> None:
        self.of.setdefault(id, Watcher(name=id))(event)

    def close(self) -> None:
        for watcher in self.of.values():
            watcher.close()


@contextmanager
def watched(*, at_once: bool = False) -> Iterator[tuple[Callable[[str, Any], None], Interrupt]]:
    """Several runs on the screen while the block runs: what to tell events, and whether a signal asked for the end.

    Those that are trained `at_once` share a table of what runs where.
    """
    from glassloom.cli.placed import PlacedWatchers

    watchers = PlacedWatchers() if at_once else Watchers()
    with interruptible() as interrupt:

        def watch(id: str, event: Any) -> None:
            if isinstance(event, (Began, Placed)):
                interrupt.defer()
            watchers(id, event)

        try:
            yield watch, interrupt
        finally:
            watchers.close()
