"""What follows from the rows of a comparison, as plain data without a word: `recommendation` puts it into sentences.

Two questions: which setting generalizes best, and which is best for the time it takes. The second has no single answer,
so it is the front: the settings that no other beats on both time and validation loss. Settings go by their names,
seeds by their mean, and every loss is in the corpus's unit, which all runs share. A run that was scored on the text it
was trained on is compared with its like only: where any other run is there, it stands apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from glassloom.comparison.results import BaselineFigures, CorpusFacts, Curve, Row
from glassloom.comparison.seeds import Setting, Spread, deciding_figure, flat, generalizing, settings_of

SAME_TIME = 1.05
"""Times no further apart than by this factor are the same time: runs given minutes all take what they get."""
SAME_MOMENT = 1.01
"""Of two settings whose times are no further apart than by this factor, the better one beats the other."""


class Candidate(NamedTuple):
    """A setting as the front sees it: less is better in both."""

    name: str
    seconds: float
    loss: float


@dataclass(frozen=True)
class Quality:
    """Which setting generalizes best, and how sure that is."""

    figures: dict[str, Spread]
    """Every setting that finished, the best first."""
    level: tuple[str, ...]
    """Other settings with exactly the figure of the best."""
    spread: float | None
    """The larger standard deviation over seeds of the best two; None where neither has several seeds."""
    as_good: tuple[str, ...]
    """Other settings that lie no further from the best than the spread over seeds."""

    @property
    def order(self) -> list[str]:
        return list(self.figures)

    @property
    def gap(self) -> float:
        """How much lower the best is than the next; 0 where there is no other."""
        means = [figure.mean for figure in self.figures.values()]
        return means[1] - means[0] if len(means) > 1 else 0.0

    @property
    def decided(self) -> bool:
        """Whether the gap is larger than the spread; one seed each decides nothing of the kind."""
        return self.spread is None or self.gap > self.spread


@dataclass(frozen=True)
class Time:
    """Which settings are the best for the time they take to their best validation loss."""

    candidates: tuple[Candidate, ...]
    """Every setting whose time is known."""
    front: tuple[Candidate, ...]
    """Those that nothing beats on both, the fastest first; where all had the same time, those of the lowest loss."""
    same_time: bool
    """Whether all took the same time, so that only the loss tells them apart."""
    given: float | None
    """The minutes that every run was given, where all were given the same: then the time to the best ranks nothing."""
    within_spread: bool
    """Whether what the fastest of the front gives up against its best is within the spread over seeds."""

    @property
    def beaten(self) -> list[str]:
        on_front = {point.name for point in self.front}
        return [point.name for point in self.candidates if point.name not in on_front]


@dataclass(frozen=True)
class Against:
    """The baselines that the best setting passes, and those that are still better, the weakest first."""

    passed: dict[str, float]
    ahead: dict[str, float]


@dataclass(frozen=True)
class Race:
    """Time compared at equal quality: when each setting came to the level that every run reached."""

    level: float
    seconds: dict[str, float]
    """The first first."""


@dataclass(frozen=True)
class Verdicts:
    """All that is judged; `best` is None where no run finished, `against` and `race` where nothing is known of them."""

    best: str | None
    quality: Quality
    time: Time
    against: Against | None
    race: Race | None
    left_out: tuple[Row, ...]
    """The rows that did not finish, or learned nothing."""
    apart: tuple[Row, ...] = ()
    """The rows that were scored on their training text, where others were not."""
    memorising: bool = False
    """Whether all rows were, so that every figure here is of memorising."""


def judge(
    rows: Sequence[Row],
    corpus: CorpusFacts,
    curves: Sequence[Curve] = (),
    baselines: Mapping[str, BaselineFigures] | None = None,
) -> Verdicts:
    """The verdicts on the rows that finished.

    >>> text = CorpusFacts(name="", source="", sizes={}, sha256="", vocabulary=2, tokenizer="word", split_rule="")
    >>> judge([], text).best is None
    True
    """
    compared = generalizing(rows, corpus)
    apart = tuple(row for row in rows if row not in compared)
    rows = [unlearned(row, corpus) for row in compared]
    figure = deciding_figure(rows, corpus)
    settings = settings_of(rows)
    reached = {setting.name: found for setting in settings if (found := setting.over_seeds(figure)) is not None}
    quality = quality_of(reached)
    best = next(iter(quality.figures), None)
    finished = [setting for setting in settings if setting.name in reached]
    return Verdicts(
        best=best,
        quality=quality,
        time=time_of(finished, reached),
        against=None if best is None else against(reached[best].mean, corpus.unit, baselines or {}),
        race=race(finished, corpus, curves),
        left_out=tuple(row for row in rows if row.status != "finished"),
        apart=apart,
        memorising=bool(rows) and all(row.read_as(corpus).memorises for row in rows),
    )


def unlearned(row: Row, corpus: CorpusFacts) -> Row:
    """A finished row that is worse than a uniform guess over its own vocabulary counts as one that diverged."""
    perplexity = row.valid_perplexity_fair or row.valid_perplexity
    if row.status != "finished" or perplexity is None or perplexity <= row.read_as(corpus).vocabulary:
        return row
    return replace(row, status="diverged", reason="it ended worse than a uniform guess")


def quality_of(reached: Mapping[str, Spread]) -> Quality:
    """The settings by what they reached, and which of them the seeds do not tell from the best."""
    figures = dict(sorted(reached.items(), key=lambda item: (item[1].mean, item[0])))
    if not figures:
        return Quality({}, (), None, ())
    (_, best), *others = figures.items()
    deviations = [
        spread.deviation for spread in list(figures.values())[:2] if len(figures) > 1 and spread.deviation is not None
    ]
    return Quality(
        figures,
        level=tuple(name for name, other in others if other.mean == best.mean),
        spread=max(deviations, default=None),
        as_good=tuple(
            name
            for name, other in others
            if other.mean - best.mean <= max(best.deviation or 0.0, other.deviation or 0.0)
        ),
    )


def time_of(finished: Sequence[Setting], reached: Mapping[str, Spread]) -> Time:
    """The front of time and loss."""
    costs = {setting.name: setting.over_seeds(lambda row: row.seconds) for setting in finished}
    points = [Candidate(name, cost.mean, reached[name].mean) for name, cost in costs.items() if cost is not None]
    times = [point.seconds for point in points]
    same_time = len(points) > 1 and max(times) <= SAME_TIME * min(times)
    given = minutes_given(finished)
    lowest = min((point.loss for point in points), default=None)
    alike = same_time or given is not None
    on_front = [point for point in points if point.loss == lowest] if alike else front(points)
    within_spread = False
    if on_front:
        lost = on_front[0].loss - on_front[-1].loss
        deviations = [reached[point.name].deviation for point in (on_front[0], on_front[-1])]
        within_spread = all(deviation is not None and lost <= deviation for deviation in deviations)
    return Time(tuple(points), tuple(on_front), same_time, given, within_spread)


def minutes_given(settings: Iterable[Setting]) -> float | None:
    """The minutes that each of several settings was given, where all were given the same."""
    found = [flat(row.settings).get("train.minutes") for setting in settings for row in setting.rows
             if row.status == "finished"]  # fmt: skip
    return found[0] if len(found) > 1 and found[0] is not None and len(set(found)) == 1 else None


def front(points: Iterable[Candidate]) -> list[Candidate]:
    """The points that no other beats, the fastest first.

    One beats another where it is at least as good in both time and loss, and better in one; equals do not beat equals.
    Times within SAME_MOMENT of each other count as equal: runs that are given minutes end at slightly different ones.

    >>> [point.name for point in front([Candidate("a", 1, 9), Candidate("b", 2, 3), Candidate("c", 3, 4)])]
    ['a', 'b']
    """
    kept: list[Candidate] = []
    for point in sorted(points, key=lambda point: (point.seconds, point.loss, point.name)):
        if not kept or point.loss < kept[-1].loss or point[1:] == kept[-1][1:]:
            while kept and point.loss < kept[-1].loss and point.seconds <= SAME_MOMENT * kept[-1].seconds:
                kept.pop()
            kept.append(point)
    return kept


def against(reached: float, unit: str, baselines: Mapping[str, BaselineFigures]) -> Against | None:
    """Which baselines a figure passes; None where none is known in that unit."""
    known = {name: value for name, line in baselines.items() if (value := getattr(line, unit)) is not None}
    if not known:
        return None
    ordered = sorted(known.items(), key=lambda line: -line[1])
    return Against(
        passed={name: value for name, value in ordered if reached < value},
        ahead={name: value for name, value in ordered if reached >= value},
    )


def race(finished: Iterable[Setting], corpus: CorpusFacts, curves: Sequence[Curve]) -> Race | None:
    """Who was first at the level that every run reached, seeds by their mean; None for less than two settings.

    The level is one of the unit that all share: nats per token of different tokenizers are different things.
    """
    curve_of = {curve.id: curve for curve in curves}
    runs: dict[str, list[list[tuple[float, float]]]] = {}
    for setting in finished:
        for row in setting.finished:
            points = curve_of[row.id].points if row.id in curve_of else ()
            losses = [(point.seconds, row.read_as(corpus).nats_in(corpus.unit, point.valid_nats)) for point in points]
            measured = [(at, loss) for at, loss in losses if loss is not None]
            if measured:
                runs.setdefault(setting.name, []).append(measured)
    if len(runs) < 2:
        return None
    level = max(min(loss for _, loss in run) for several in runs.values() for run in several)
    times = {
        name: Spread.of([next(at for at, loss in run if loss <= level) for run in several]).mean
        for name, several in runs.items()
    }
    return Race(level, dict(sorted(times.items(), key=lambda item: (item[1], item[0]))))
