"""Which setting to take, computed from the rows and written as sentences with their numbers.

Two questions: which setting generalizes best, and which is best for the time it takes. The second has no single answer,
so it is the front: the settings that no other beats on both time and validation loss.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from glassloom.comparison.results import BaselineFigures, CorpusFacts, Curve, Recommendation, Row
from glassloom.comparison.seeds import Setting, Spread, deciding_figure, settings_of
from glassloom.comparison.wording import UNITS, listed, quality, seconds, share, with_unit

SAME_TIME = 1.05
"""Times no further apart than by this factor are the same time: runs given minutes all take what they get."""


class Candidate(NamedTuple):
    """A setting as the front sees it: less is better in both."""

    name: str
    seconds: float
    loss: float


def front(points: Iterable[Candidate]) -> list[Candidate]:
    """The points that no other beats, the fastest first.

    One beats another where it is at least as good in both time and loss, and better in one; equals do not beat equals.

    >>> [point.name for point in front([Candidate("a", 1, 9), Candidate("b", 2, 3), Candidate("c", 3, 4)])]
    ['a', 'b']
    """
    kept: list[Candidate] = []
    for point in sorted(points, key=lambda point: (point.seconds, point.loss, point.name)):
        if not kept or point.loss < kept[-1].loss or point[1:] == kept[-1][1:]:
            kept.append(point)
    return kept


def recommend(
    rows: Sequence[Row],
    corpus: CorpusFacts,
    curves: Sequence[Curve] = (),
    baselines: Mapping[str, BaselineFigures] | None = None,
) -> Recommendation:
    """The best setting for generalization, the front of time and loss, and by how much.

    Seeds count by their mean; rows that did not finish are left out and named.
    """
    rows = [unlearned(row, corpus) for row in rows]
    judged = _Judged(rows, corpus)
    if not judged.quality:
        sentences = ["No run finished, so there is nothing to recommend.", *judged.left_out()]
        return Recommendation(sentences=tuple(sentences), generalization=None, time=None, front=())
    on_front = judged.front()
    sentences = [
        *judged.generalization(),
        *judged.against_baselines(baselines or {}),
        *judged.time(on_front),
        *judged.race(curves),
        *judged.left_out(),
    ]
    return Recommendation(
        sentences=tuple(sentences),
        generalization=judged.order[0],
        time=on_front[0].name if on_front else None,
        front=tuple(point.name for point in on_front),
    )


def unlearned(row: Row, corpus: CorpusFacts) -> Row:
    """A finished row that is worse than a uniform guess counts as one that diverged."""
    perplexity = row.valid_perplexity_fair or row.valid_perplexity
    if row.status != "finished" or perplexity is None or perplexity <= corpus.vocabulary:
        return row
    return replace(row, status="diverged", reason="it ended worse than a uniform guess")


class _Judged:
    """The settings with their means, and one method a sentence."""

    def __init__(self, rows: Sequence[Row], corpus: CorpusFacts) -> None:
        self.corpus, self.unit, self.rows = corpus, corpus.unit, rows
        figure = deciding_figure(rows, corpus)
        self.settings: dict[str, Setting] = {setting.name: setting for setting in settings_of(rows)}
        self.quality: dict[str, Spread] = {}
        self.cost: dict[str, Spread] = {}
        for name, setting in self.settings.items():
            if (spread := setting.over_seeds(figure)) is not None:
                self.quality[name] = spread
                if (cost := setting.over_seeds(lambda row: row.seconds)) is not None:
                    self.cost[name] = cost
        self.order = sorted(self.quality, key=lambda name: (self.quality[name].mean, name))

    def candidates(self) -> list[Candidate]:
        return [Candidate(name, self.cost[name].mean, self.quality[name].mean) for name in self.cost]

    def front(self) -> list[Candidate]:
        """The front; of settings that took the same time, those with the lowest loss."""
        points = self.candidates()
        if self.level_in_time():
            return [point for point in points if point.loss == min(other.loss for other in points)]
        return front(points)

    def level_in_time(self) -> bool:
        times = [cost.mean for cost in self.cost.values()]
        return len(times) > 1 and max(times) <= SAME_TIME * min(times)

    def generalization(self) -> list[str]:
        best = self.order[0]
        figure = self.quality[best]
        reached = f"{best} reaches {with_unit(figure.mean, self.unit)} on the validation text{_over_seeds(figure)}"
        if len(self.order) == 1:
            return [f"Only one setting finished: {reached}. There is nothing to compare it with."]
        first = self.order[0]
        level = [name for name in self.order[1:] if self.quality[name].mean == figure.mean]
        if level:
            return [f"Best for generalization: {listed([first, *level])} are level, {_bare(reached, best)}."]
        second = self.order[1]
        other = self.quality[second]
        gap = other.mean - figure.mean
        sentences = [
            f"Best for generalization: {reached}, {quality(gap, self.unit)} ({share(gap, other.mean)}) lower than the "
            f"next, {second} ({quality(other.mean, self.unit)})."
        ]
        deviations = [spread.deviation for spread in (figure, other) if spread.deviation is not None]
        if deviations and gap <= max(deviations):
            close = self._as_good_as(best)
            sentences.append(
                f"That is within the spread over seeds (standard deviation {quality(max(deviations), self.unit)}), "
                f"so these runs do not tell {listed([best, *close])} apart."
            )
        elif not deviations:
            sentences.append("With one seed each, a small difference may be chance; repeat it with several seeds.")
        return sentences

    def _as_good_as(self, best: str) -> list[str]:
        figure = self.quality[best]
        close = []
        for name in self.order[1:]:
            other = self.quality[name]
            if other.mean - figure.mean <= max(figure.deviation or 0.0, other.deviation or 0.0):
                close.append(name)
        return close

    def against_baselines(self, baselines: Mapping[str, BaselineFigures]) -> list[str]:
        key = "perplexity" if self.unit == "perplexity" else "bits_per_character"
        known = {name: value for name, line in baselines.items() if (value := getattr(line, key)) is not None}
        if not known:
            return []
        known = dict(sorted(known.items(), key=lambda line: -line[1]))
        best = self.order[0]
        reached = self.quality[best].mean
        written = {name: f"{name} ({quality(value, self.unit)})" for name, value in known.items()}
        passed = [written[name] for name, value in known.items() if reached < value]
        ahead = [written[name] for name, value in known.items() if reached >= value]
        if not ahead:
            return [f"{best} passes every baseline: {listed(passed)}."]
        if not passed:
            return [f"{best} passes no baseline: {listed(ahead)} {_are(ahead)} better."]
        return [f"{best} passes {listed(passed)}; {listed(ahead)} {_are(ahead)} still better."]

    def time(self, on_front: list[Candidate]) -> list[str]:
        if len(self.cost) < 2:
            return []
        if self.level_in_time():
            level = sorted(cost.mean for cost in self.cost.values())
            return [
                f"Best for time: all took the same time to their best ({seconds(level[0])} to {seconds(level[-1])}), "
                f"so the best of them, {listed([point.name for point in on_front])}, is the one for that time too."
            ]
        written = {
            point.name: f"{point.name} ({seconds(point.seconds)}, {quality(point.loss, self.unit)})"
            for point in self.candidates()
        }
        beaten = [name for name in self.cost if name not in {point.name for point in on_front}]
        if len(on_front) == 1:
            only = on_front[0]
            return [f"Best for time too: {written[only.name]} is the fastest as well: nothing beats it on either."]
        fast, best = on_front[0], on_front[-1]
        sentences = [
            f"Best for time: nothing beats {listed([written[point.name] for point in on_front])} on both time to the "
            f"best validation loss and {UNITS[self.unit]}."
        ]
        saved, lost = best.seconds - fast.seconds, fast.loss - best.loss
        if saved > 0:
            times = f", {best.seconds / fast.seconds:.1f} times as fast," if fast.seconds > 0 else ""
            sentences.append(
                f"{fast.name} is there {seconds(saved)} sooner than {best.name}{times} and gives up "
                f"{quality(lost, self.unit)} ({share(lost, best.loss)}) for it."
            )
            sentences += self._fast_is_good_enough(fast.name, best.name, lost)
        if beaten:
            sentences.append(f"{listed(beaten)} {_are(beaten)} beaten by one of these.")
        return sentences

    def _fast_is_good_enough(self, fast: str, best: str, lost: float) -> list[str]:
        deviations = [self.quality[name].deviation for name in (fast, best)]
        if all(deviation is not None and lost <= deviation for deviation in deviations):
            return [f"What {fast} gives up is within the spread over seeds: take it."]
        return []

    def race(self, curves: Sequence[Curve]) -> list[str]:
        """Who is first at the level that all reach: time compared at equal quality."""
        curve_of = {curve.id: curve for curve in curves}
        runs: dict[str, list[list[tuple[float, float]]]] = {}
        for name in self.quality:
            for row in self.settings[name].finished:
                points = curve_of[row.id].points if row.id in curve_of else ()
                measured = [(point.seconds, point.valid_nats) for point in points if point.valid_nats is not None]
                if measured:
                    runs.setdefault(name, []).append(measured)
        if len(runs) < 2:
            return []
        level = max(min(nats for _, nats in run) for several in runs.values() for run in several)
        times = {
            name: Spread.of([next(at for at, nats in run if nats <= level) for run in several]).mean
            for name, several in runs.items()
        }
        order = sorted(times, key=lambda name: (times[name], name))
        written = with_unit(self.corpus.in_unit(level) or 0.0, self.unit)
        rest = [f"{name} after {seconds(times[name])}" for name in order[1:]]
        return [
            f"To {written}, the level that every run reached under the evaluation in training, {order[0]} came first, "
            f"after {seconds(times[order[0]])}; {listed(rest)}."
        ]

    def left_out(self) -> list[str]:
        sentences = []
        for row in self.rows:
            if row.status != "finished":
                why = f" ({row.reason.rstrip('.')})" if row.reason else ""
                did = {"diverged": "diverged", "failed": "failed", "interrupted": "was interrupted"}[row.status]
                sentences.append(f"{row.id} is left out: it {did}{why}.")
        return sentences


def _over_seeds(figure: Spread) -> str:
    return f" (mean of {figure.count} seeds)" if figure.count > 1 else ""


def _bare(reached: str, name: str) -> str:
    return reached.removeprefix(f"{name} reaches ")


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"
