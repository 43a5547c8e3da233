"""How results look in a notebook, and the live curve while a model trains.

The rooms below know no HTML: their classes are told to IPython's formatters by name, where IPython is running. All text
is escaped; lines and letters have the colour of the page around them, light or dark. IPython itself is optional.
"""

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from html import escape
from typing import Any

from glassloom.comparison import Comparison, comparison_table
from glassloom.generation import Sample
from glassloom.runs import Run
from glassloom.training import Began, Evaluated, Evaluation, Event, Finished, Stepped, TrainingResult

Points = Sequence[tuple[float, float]]
"""Steps, and nats per token."""

COLOURS = ("#e69f00", "#009e73", "#0072b2", "#d55e00", "#cc79a7")
"""Told apart with any colour vision (Okabe and Ito, 2008)."""
UNITS = {"nats_per_token": "nats/token", "perplexity": "perplexity", "bits_per_character": "bits/char",
         "bits_per_byte": "bits/byte"}  # fmt: skip
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 266, 48, 120, 12, 40
"""Of a curve, in units of its own; a notebook scales it to its page."""
SECONDS_BETWEEN = 0.5
"""A live curve is drawn anew no more often than that."""


# -- IPython


def shell() -> Any:
    """The running IPython, or None; IPython is never imported on its own account."""
    loaded = sys.modules.get("IPython")
    return loaded.get_ipython() if loaded else None


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this code, not a terminal."""
    return getattr(shell(), "kernel", None) is not None


def install() -> None:
    """Tell IPython, where it runs, how our results look; told twice it changes nothing."""
    running = shell()
    if running is None:
        return
    formatter = running.display_formatter.formatters["text/html"]
    for kind, show in SHOWN.items():
        formatter.for_type(kind, show)


# -- results


def run_as_html(run: Run) -> str:
    """A run: what it is, its curve, its last sample."""
    corpus = run.corpus
    rows = [["model", run.config.architecture], ["text", corpus["name"]], ["state", run.state()], ["folder", run.path]]
    return f"<h4>{text(run.name)}</h4>" + table(rows) + measured(run) + last_sample(run)


def result_as_html(result: TrainingResult) -> str:
    """How a training ended, its loss among the baselines, its curve, its last sample."""
    about = f"{result.status} after {result.seconds:,.0f} s and {result.steps:,} steps: {result.reason}"
    shown = f"<h4>{text(result.run.name)}</h4><p>{text(about)}</p>"
    if result.best:
        protocol = f"best at step {result.best['step']:,}; {result.best['protocol']}"
        shown += among_baselines(result.best, result.baselines) + f"<p>{text(protocol)}</p>"
    return shown + measured(result.run, result.baselines) + last_sample(result.run)


def score_as_html(score: Evaluation) -> str:
    """A loss among the baselines of the same text."""
    facts = score.as_dict()
    about = f"{score.split}, {score.tokens:,} tokens, {score.protocol}"
    return f"<p>{text(about)}</p>" + among_baselines(facts, facts.get("baselines", {}))


def comparison_as_html(comparison: Comparison) -> str:
    """The table, the best of each architecture in bold, and what is recommended."""
    found = comparison_table(comparison)
    rows = [[Bold(cell.text) if cell.bold else cell.text for cell in line.cells] for line in found.lines]
    sentences = "".join(f"<p>{text(sentence)}</p>" for sentence in comparison.recommendation.sentences)
    head = [column.title for column in found.columns]
    return f"<h4>{text(comparison.title)}</h4>" + table(rows, head) + f"<p>{text(found.note)}</p>" + sentences


def sample_as_html(sample: Sample) -> str:
    """A sample behind its prompt, which is bold; each line runs in its own direction."""
    return (
        '<pre dir="auto" style="white-space: pre-wrap; unicode-bidi: plaintext">'
        f"<b>{text(sample.prompt)}</b>{text(sample.text)}</pre>"
    )


def samples_as_html(samples: Iterable[Sample]) -> str:
    """Several samples, one below the other."""
    return "<hr>".join(sample_as_html(sample) for sample in samples)


class Samples(list[Sample]):
    """Samples that a notebook shows one below the other; a list in every other respect."""


SHOWN: dict[type, Callable[[Any], str]] = {
    Run: run_as_html,
    TrainingResult: result_as_html,
    Evaluation: score_as_html,
    Comparison: comparison_as_html,
    Sample: sample_as_html,
    Samples: samples_as_html,
}
"""How each kind of result looks; IPython shows a subclass as its parent."""


# -- parts


class Bold(str):
    """A cell in bold."""


def text(value: Any) -> str:
    """Anything as text in HTML: markup stays text, control characters become a sign."""
    shown = "".join("\N{REPLACEMENT CHARACTER}" if ord(c) < 32 and c not in "\n\t" else c for c in str(value))
    return escape(shown)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = ()) -> str:
    """A table; the first column is text, the others are numbers."""
    top = f"<thead><tr>{''.join(f'<th>{text(title)}</th>' for title in head)}</tr></thead>" if head else ""
    lines = []
    for row in rows:
        cells = [f"<b>{text(cell)}</b>" if isinstance(cell, Bold) else text(cell) for cell in row]
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table>{top}<tbody>{''.join(lines)}</tbody></table>"


def among_baselines(figures: Mapping[str, Any], baselines: Mapping[str, Mapping[str, Any]]) -> str:
    """The model in its place among the baselines, the best at the bottom."""
    rows = sorted(
        [*baselines.items(), (Bold("this model"), figures)], key=lambda row: -(row[1]["nats_per_token"] or math.inf)
    )
    return table([[name, *(number(row.get(unit)) for unit in UNITS)] for name, row in rows], ["", *UNITS.values()])


def number(value: float | None) -> str:
    """A figure as it is read; a dash where there is none."""
    return "-" if value is None else f"{value:,.2f}" if value >= 100 else f"{value:.4f}"


def measured(run: Run, baselines: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """The learning curve of a run, with its text's baselines where they are known."""
    records = [record for record in run.metrics() if record.get("event") == "evaluation"]
    curves = {
        name: [(r["step"], r[f"{name}_nats"]) for r in records if r.get(f"{name}_nats") is not None]
        for name in ("train", "valid")
    }
    known = baselines or run.corpus.get("baselines") or {}
    return curves_as_svg(curves, {name: figures["nats_per_token"] for name, figures in known.items()})


def last_sample(run: Run) -> str:
    """What the model wrote last."""
    written = run.samples()
    return sample_as_html(Sample(written[-1]["prompt"], written[-1]["text"])) if written else ""


def curves_as_svg(curves: Mapping[str, Points], baselines: Mapping[str, float] | None = None) -> str:
    """Losses over steps as an inline picture; baselines that lie among them are dashed lines. Empty without points.

    >>> "polyline" in curves_as_svg({"valid": [(1, 3.0), (2, 2.5)]}, {"bigram": 2.6})
    True
    """
    drawn = {name: [(x, y) for x, y in points if math.isfinite(y)] for name, points in curves.items()}
    drawn = {name: points for name, points in drawn.items() if points}
    if not drawn:
        return ""
    xs, ys = zip(*(point for points in drawn.values() for point in points), strict=True)
    low, high = min(ys), max(ys)
    inside = {name: y for name, y in (baselines or {}).items() if y and low - 0.5 <= y <= high + 0.5}
    low, high = min([low, *inside.values()]), max([high, *inside.values()])
    first, last = min(xs), max(xs)

    def x_of(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * ((x - first) / (last - first) if last > first else 0.5)

    def y_of(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * ((high - y) / (high - low) if high > low else 0.5)

    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = [
        f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="currentColor" opacity="0.4"/>',
        *(label(LEFT - 6, y_of(y), f"{y:.2f}", "end") for y in dict.fromkeys((low, high))),
        *(label(x_of(x), bottom + 16, f"{x:,.0f}", "middle") for x in dict.fromkeys((first, last))),
        label((LEFT + right) / 2, bottom + 30, "steps (loss in nats per token)", "middle"),
    ]
    for name, y in inside.items():
        parts.append(
            f'<path d="M{LEFT} {y_of(y):.1f}H{right}" stroke="currentColor" opacity="0.5" stroke-dasharray="4 4"/>'
        )
        parts.append(label(right + 6, y_of(y), name))
    for place, (name, points) in enumerate(drawn.items()):
        colour = COLOURS[place % len(COLOURS)]
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(label(LEFT + 10 + 70 * place, TOP + 8, name, fill=colour))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" style="max-width: {WIDTH}px; width: 100%" role="img" '
        f'aria-label="learning curve" font-family="sans-serif" font-size="11">{"".join(parts)}</svg>'
    )


def label(x: float, y: float, words: str, anchor: str = "start", fill: str = "currentColor") -> str:
    """Words in a picture."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" dominant-baseline="middle">'
        f"{text(words)}</text>"
    )


# -- live


class LiveCurve:
    """Watches a training, or the trainings of a comparison, in a notebook: one picture, drawn anew as it goes on.

    `curve = LiveCurve(); glassloom.train(..., on_event=curve)` is what `train` does by itself in a notebook.
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self.show = show or displayed()
        self.curves: dict[str, list[tuple[float, float]]] = {}
        self.status, self.drawn_at, self.uniform = "", 0.0, math.nan

    def __call__(self, event: Event, run: str = "") -> None:
        """Take in what happened; `run` names the run where there are several."""
        named = f"{run} " if run else ""
        match event:
            case Began():
                self.uniform = math.log(event.facts["vocabulary"])
                self.say(f"{named}{event.facts['model']}: {event.facts['parameters']:,} parameters", now=True)
            case Stepped():
                pace = f"{event.tokens / max(event.seconds, 1e-9):,.0f} tokens/s, {event.progress:.0%}"
                self.say(f"{named}step {event.step:,}, train {event.train_nats:.3f} nats per token, {pace}")
            case Evaluated():
                if event.train_nats is not None and not run:
                    self.curves.setdefault("train", []).append((event.step, event.train_nats))
                self.curves.setdefault(run or "valid", []).append((event.step, event.valid_nats))
                below = f", below {event.passed}" if event.passed else ""
                self.say(f"{named}step {event.step:,}, valid {event.valid_nats:.3f} nats per token{below}", now=True)
            case Finished():
                self.say(f"{named}{event.status}: {event.reason}", now=True)

    def say(self, status: str, now: bool = False) -> None:
        """Show the curves with this line below them, if it is time."""
        self.status = status
        if now or time.monotonic() - self.drawn_at > SECONDS_BETWEEN:
            self.drawn_at = time.monotonic()
            self.show(curves_as_svg(self.curves, {"uniform": self.uniform}) + f"<p>{text(self.status)}</p>")


def displayed() -> Callable[[str], None]:
    """A place in the notebook's output, as a function that puts HTML there in place of what it showed before."""
    from IPython.display import HTML, display

    place = display(HTML(""), display_id=True)
    return lambda html: place.update(HTML(html))


def watcher() -> Callable[[Event], None]:
    """A live curve in a notebook; elsewhere nobody watches."""
    with suppress(ImportError):
        if in_notebook():
            return LiveCurve()
    return lambda event: None


def comparison_watcher() -> Callable[[str, Any], None]:
    """One live curve for all runs of a comparison in a notebook; elsewhere nobody watches."""
    with suppress(ImportError):
        if in_notebook():
            curve = LiveCurve()
            return lambda run, event: curve(event, run=run)
    return lambda run, event: None
