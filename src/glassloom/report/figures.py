"""The figures of a comparison: each with its chart, its caption, and the same in words."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import vl_convert

from glassloom.comparison import Candidate, Comparison, Setting, front, settings_of
from glassloom.comparison.seeds import deciding_figure
from glassloom.comparison.wording import UNITS, listed, quality, seconds, with_unit
from glassloom.errors import sentence
from glassloom.report import charts
from glassloom.report.colours import INK, colours_of
from glassloom.report.learning import choices_of, curves_on_the_page, entries_of, learning_curves
from glassloom.report.series import Frame, Over, Series, baselines_of, frame_of, labels_of, series_of
from glassloom.report.writing import as_csv, in_picture

NAMES = ("ladder", "curves-by-epoch", "curves-by-time", "time-and-quality")


@dataclass(frozen=True)
class Figure:
    """A figure ready to be shown. `words` says what it shows to whoever does not see it."""

    name: str
    title: str
    caption: str
    words: tuple[str, ...]
    spec: dict[str, Any]
    csv: str = ""
    """Its numbers."""
    choices: dict[str, Any] | None = None
    """What the page draws it from, where the reader may choose how: then `caption` and `spec` are those of the page."""
    alone: "Figure | None" = None
    """The same as a file, where that is another drawing than the one on the page."""
    on_page: bool = True
    """Whether the page shows it; else it is there as a file only."""


def spec_of_file(figure: Figure) -> dict[str, Any]:
    """What is drawn where nobody can choose."""
    return (figure.alone or figure).spec


def drawings_of(figures: Sequence[Figure]) -> dict[str, str]:
    """The figures as SVG, by name, each with its title in it."""
    return {figure.name: drawn(spec_of_file(figure), (figure.alone or figure).title) for figure in figures}


def drawn(spec: dict[str, Any], title: str) -> str:
    """A figure as a file: it goes its own ways, so it carries its title."""
    return clipped_once(str(vl_convert.vegalite_to_svg({**spec, "title": titled(title)})))


TITLE_LETTERS = 80
"""Of one line of a title."""


def titled(title: str) -> dict[str, Any]:
    """The title of a file, in lines that fit its width."""
    lines = textwrap.wrap(in_picture(title), TITLE_LETTERS) or [""]
    return {
        "text": lines, "anchor": "start", "frame": "bounds", "color": INK, "fontSize": 16, "fontWeight": "normal",
        "offset": 14,
    }  # fmt: skip


LINE = re.compile(r'(<g class="mark-line role-mark \w+") clip-path="(url\(#\w+\))"')
LINES = re.compile(r'<g class="mark-group role-scope \w+_pathgroup"')


def clipped_once(svg: str) -> str:
    """All lines of a layer cut off at the frame together: one by one, a PNG of fifty runs takes eight seconds.

    The figure is one view, so that all its lines have the same frame.
    """
    first = LINE.search(svg)
    if first is None:
        return svg
    return LINES.sub(lambda group: f'{group[0]} clip-path="{first[2]}"', LINE.sub(r"\1", svg))


def figures_of(comparison: Comparison) -> list[Figure]:
    """Every figure that the comparison has the numbers for."""
    made = [_ladder(comparison), _curves(comparison), _curves_over_time(comparison), _trade_off(comparison)]
    return [figure for figure in made if figure is not None]


MOST_BARS = 60
"""A ladder with more rungs is a table, which stands above it."""


def _ladder(comparison: Comparison) -> Figure | None:
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    losses = _losses(comparison, settings)
    baselines = baselines_of(comparison)
    if not losses:
        return None
    title = "Where the models stand"
    shown = dict(sorted(losses.items(), key=_by)[:MOST_BARS]) if len(losses) > MOST_BARS else losses
    words = [f"{name}: {with_unit(value, unit)}." for name, value in sorted({**shown, **baselines}.items(), key=_by)]
    of_all = f" The best {len(shown)} of {len(losses):,}." if len(shown) < len(losses) else ""
    caption = (
        f"Validation {UNITS[unit]} of the models, and of simple methods on the same text (thin lines); shorter is "
        f"better.{of_all} {_protocol(comparison)}{_memorisation(comparison)}"
    )
    spec = charts.ladder(shown, baselines, colours_of(settings), unit, f"{title}. {' '.join(words)}")
    numbers = as_csv(
        ["name", "kind", UNITS[unit]],
        [(name, "model" if name in losses else "baseline", value)
         for name, value in sorted({**baselines, **losses}.items(), key=_by)],
    )  # fmt: skip
    return Figure("ladder", title, caption, tuple(words), spec, numbers)


def _curves(comparison: Comparison) -> Figure | None:
    """On the page over whatever the reader chooses, as a file over epochs."""
    alone = _curves_over(comparison, "epoch", "curves-by-epoch", "Learning, pass by pass")
    if alone is None:
        return None
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    series = series_of(comparison, "epoch")
    frame = frame_of(series, baselines_of(comparison), unit)
    entries = entries_of(settings, colours_of(settings))
    choices = choices_of(comparison, entries)
    title = "Learning"
    words = (*alone.words, *_in_words(series_of(comparison, "seconds"), unit, "seconds"))
    held, measured = (
        sum(part) for part in zip(*((len(run["step"]), run["of"]) for run in choices["runs"]), strict=True)
    )
    thinned = (
        f" The page holds {held:,} of {measured:,} moments: of every stretch its lowest and its highest, and every "
        "evaluation."
        if held < measured
        else ""
    )
    caption = (
        f"{UNITS[unit].capitalize()} on the training text (dashed) and the validation text (solid, a dot an "
        "evaluation), over what is chosen above; one line a run. Dropout is on in the dashed lines and off in the "
        f"solid ones, so the dashed ones may lie higher. Solid: {sentence(comparison.protocols.in_training)} "
        "Dotted: what simple methods reach on the same validation text, where that lies in the frame; the first "
        "moments may lie above it. Smoothing draws the debiased exponential moving average of each line, its "
        f"weight the one shown; dots stay at what was measured.{thinned}{_memorisation(comparison)}"
    )
    about = f"{title}. {' '.join(words) or 'Training loss only.'}"
    spec = curves_on_the_page(series, frame, entries, unit, "epoch", about)
    return Figure("curves-by-epoch", title, caption, words, spec, choices=choices, alone=alone)


def _curves_over_time(comparison: Comparison) -> Figure | None:
    """As a file only: on the page the reader chooses the axis."""
    figure = _curves_over(comparison, "seconds", "curves-by-time", "Learning, second by second")
    return None if figure is None else replace(figure, on_page=False)


def _curves_over(comparison: Comparison, over: Over, name: str, title: str) -> Figure | None:
    series = series_of(comparison, over)
    if not series:
        return None
    unit, settings = comparison.corpus.unit, settings_of(comparison.rows)
    frame = frame_of(series, baselines_of(comparison), unit)
    words = _in_words(series, unit, over)
    about = f"{title}. {' '.join(words) or 'Training loss only.'}"
    entries = entries_of(settings, colours_of(settings))
    spec = learning_curves(series, frame, labels_of(frame, series), entries, unit, over, about)
    along = "passes over the training text" if over == "epoch" else "wall-clock time of training"
    caption = (
        f"{UNITS[unit].capitalize()} on the training text (dashed) and the validation text (solid, a dot an "
        f"evaluation), over {along}; one line a run. Dropout is on in the dashed lines and off in the solid ones, so "
        f"the dashed ones may lie higher. Solid: {sentence(comparison.protocols.in_training)} {_lines(frame, unit)}"
        + _memorisation(comparison)
    )
    return Figure(name, title, caption, tuple(words), spec)


def _in_words(series: Sequence[Series], unit: str, over: Over) -> list[str]:
    return [_curve_in_words(one, unit, over) for one in series if one.split == "valid"]


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
    numbers = as_csv(
        ["setting", "seconds to the best", UNITS[unit], "on the front"],
        [(point.name, point.seconds, point.loss, point.name in names) for point in points],
    )
    return Figure("time-and-quality", title, caption, tuple(words), spec, numbers)


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
