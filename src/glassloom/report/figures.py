"""The figures of a comparison: each with its chart, its caption, and the same in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import vl_convert

from glassloom.comparison import Candidate, Comparison, Setting, front, settings_of
from glassloom.comparison.seeds import deciding_figure
from glassloom.comparison.wording import UNITS, listed, quality, seconds, with_unit
from glassloom.errors import sentence
from glassloom.report import charts
from glassloom.report.colours import colours_of
from glassloom.report.series import Frame, Over, Series, baselines_of, frame_of, labels_of, series_of

NAMES = ("ladder", "curves-by-epoch", "curves-by-time", "time-and-quality")


@dataclass(frozen=True)
class Figure:
    """A figure ready to be shown. `words` says what it shows to whoever does not see it."""

    name: str
    title: str
    caption: str
    words: tuple[str, ...]
    spec: dict[str, Any]


def drawings_of(figures: Sequence[Figure]) -> dict[str, str]:
    """The figures as SVG, by name."""
    return {figure.name: str(vl_convert.vegalite_to_svg(figure.spec)) for figure in figures}


def figures_of(comparison: Comparison) -> list[Figure]:
    """Every figure that the comparison has the numbers for."""
    made = [_ladder(comparison), _curves(comparison, "epoch"), _curves(comparison, "seconds"), _trade_off(comparison)]
    return [figure for figure in made if figure is not None]


def _ladder(comparison: Comparison) -> Figure | None:
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    losses = _losses(comparison, settings)
    baselines = baselines_of(comparison)
    if not losses:
        return None
    title = "Where the models stand"
    words = [f"{name}: {with_unit(value, unit)}." for name, value in sorted({**losses, **baselines}.items(), key=_by)]
    caption = (
        f"Validation {UNITS[unit]} of the models, and of simple methods on the same text (thin lines); shorter is "
        f"better. {_protocol(comparison)}{_memorisation(comparison)}"
    )
    spec = charts.ladder(losses, baselines, colours_of(settings), unit, f"{title}. {' '.join(words)}")
    return Figure("ladder", title, caption, tuple(words), spec)


def _curves(comparison: Comparison, over: Over) -> Figure | None:
    series = series_of(comparison, over)
    if not series:
        return None
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    frame = frame_of(series, baselines_of(comparison), unit)
    title = "Learning, pass by pass" if over == "epoch" else "Learning, second by second"
    words = [_curve_in_words(one, unit, over) for one in series if one.split == "valid"]
    about = f"{title}. {' '.join(words) or 'Training loss only.'}"
    labels = labels_of(frame, series)
    spec = charts.learning_curves(series, frame, labels, colours_of(settings), unit, over, about)
    along = "passes over the training text" if over == "epoch" else "wall-clock time of training"
    caption = (
        f"{UNITS[unit].capitalize()} on the training text (dashed) and the validation text (solid, a dot an "
        f"evaluation), over {along}; one line a run. Dropout is on in the dashed lines and off in the solid ones, so "
        f"the dashed ones may lie higher. Solid: {sentence(comparison.protocols.in_training)} {_lines(frame, unit)}"
        + _memorisation(comparison)
    )
    return Figure(f"curves-by-{'epoch' if over == 'epoch' else 'time'}", title, caption, tuple(words), spec)


def _curve_in_words(one: Series, unit: str, over: Over) -> str:
    at, best = min(one.points, key=lambda point: point[1])
    (first_x, first), (last_x, last) = one.points[0], one.points[-1]

    def when(x: float) -> str:
        return f"epoch {x:.2f}" if over == "epoch" else seconds(x)

    return (
        f"{one.row}: validation falls from {quality(first, unit)} ({when(first_x)}) to its best, {quality(best, unit)} "
        f"({when(at)}), and ends at {quality(last, unit)} ({when(last_x)})."
    )


def _lines(frame: Frame, unit: str) -> str:
    parts = []
    if frame.inside:
        parts.append("Dotted: what simple methods reach on the same validation text.")
    if frame.outside:
        beyond = [f"{name} {quality(value, unit)}" for name, value in frame.outside.items()]
        parts.append(f"Outside the frame: {listed(beyond)}.")
    if frame.cut:
        parts.append("The first moments lie above the frame.")
    if unit == "perplexity":
        parts.append("The scale is logarithmic.")
    return " ".join(parts)


def _trade_off(comparison: Comparison) -> Figure | None:
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    losses = _losses(comparison, settings)
    points = []
    for setting in settings:
        cost = setting.over_seeds(lambda row: row.seconds)
        if cost is not None and setting.name in losses:
            points.append(Candidate(setting.name, cost.mean, losses[setting.name]))
    if len(points) < 2:
        return None
    on_front = front(points)
    names = [point.name for point in on_front]
    words = [
        f"{point.name}: {seconds(point.seconds)}, {with_unit(point.loss, unit)}, "
        f"{'on the front' if point.name in names else 'beaten by one of the front'}."
        for point in points
    ]
    title = "Time against quality"
    caption = (
        f"Each setting by the time it took to its best validation loss, and that loss ({UNITS[unit]}); the lower left "
        f"is best. Filled: nothing beats it on both ({listed(names)}); hollow: beaten. {_protocol(comparison)}"
        + _memorisation(comparison)
    )
    spec = charts.trade_off(points, on_front, colours_of(settings), unit, f"{title}. {' '.join(words)}")
    return Figure("time-and-quality", title, caption, tuple(words), spec)


def _losses(comparison: Comparison, settings: Sequence[Setting]) -> dict[str, float]:
    figure = deciding_figure(comparison.rows, comparison.corpus)
    spreads = {setting.name: setting.over_seeds(figure) for setting in settings}
    return {name: spread.mean for name, spread in spreads.items() if spread is not None}


def _protocol(comparison: Comparison) -> str:
    finished = [row for row in comparison.rows if row.status == "finished"]
    fair = all(row.nats_per_token is not None for row in finished)
    several = len({row.setting for row in finished}) < len(finished)
    means = " Means over seeds." if several else ""
    return f"Protocol: {sentence(comparison.protocols.fair if fair else comparison.protocols.in_training)}{means}"


def _memorisation(comparison: Comparison) -> str:
    """What has to be said where valid is the training text: of all runs, or of those that are left out here."""
    memorising = [row.id for row in comparison.rows if row.read_as(comparison.corpus).memorises]
    if not memorising:
        return ""
    if len(memorising) == len(comparison.rows):
        return " Validation is on the very text that was trained on: memorisation."
    return f" Without the validation losses of {listed(memorising)}, which are those of their training text."


def _by(item: tuple[str, float]) -> float:
    return item[1]
