"""Which setting to take, in sentences with their numbers; `verdicts` has computed them."""

from collections.abc import Mapping, Sequence

from glassloom.comparison.results import BaselineFigures, CorpusFacts, Curve, Recommendation, Row
from glassloom.comparison.seeds import Spread
from glassloom.comparison.verdicts import Against, Candidate, Quality, Race, Time, judge
from glassloom.comparison.wording import MOST_LISTED, UNITS, listed, quality, seconds, share, with_unit
from glassloom.units import Unit


def recommend(
    rows: Sequence[Row],
    corpus: CorpusFacts,
    curves: Sequence[Curve] = (),
    baselines: Mapping[str, BaselineFigures] | None = None,
) -> Recommendation:
    """The best setting for generalization, the front of time and loss, and by how much.

    Seeds count by their mean; rows that did not finish are left out and named, and so are rows that were scored on
    their training text. Where all were, nothing is said of generalization.
    """
    found = judge(rows, corpus, curves, baselines)
    left_out = [*left_out_in_words(found.left_out), *apart_in_words(found.apart)]
    if found.best is None:
        sentences = ["No run finished, so there is nothing to recommend.", *left_out]
        return Recommendation(sentences=tuple(sentences), generalization=None, time=None, front=())
    sentences = [
        *([MEMORISATION] if found.memorising else []),
        *quality_in_words(found.quality, corpus.unit, found.memorising),
        *([against_in_words(found.best, found.against, corpus.unit)] if found.against else []),
        *time_in_words(found.time, corpus.unit),
        *([race_in_words(found.race, corpus.unit)] if found.race else []),
        *left_out,
    ]
    front = tuple(point.name for point in found.time.front)
    return Recommendation(
        sentences=tuple(sentences), generalization=None if found.memorising else found.best,
        time=front[0] if front else None, front=front,
    )  # fmt: skip


MEMORISATION = (
    "This is memorisation: every run was scored on the very text that it was trained on, so that nothing here says how "
    "well it does on other text."
)


def quality_in_words(found: Quality, unit: Unit, memorising: bool = False) -> list[str]:
    """Which setting generalizes best (or memorises best), by how much, and whether the seeds bear that out."""
    best, *others = found.order
    figure = found.figures[best]
    text = "text that it was trained on" if memorising else "validation text"
    purpose = "knowing the text by heart" if memorising else "generalization"
    reached = f"{with_unit(figure.mean, unit)} on the {text}{_over_seeds(figure)}"
    if not others:
        return [f"Only one setting finished: {best} reaches {reached}. There is nothing to compare it with."]
    if found.level:
        return [f"Best for {purpose}: {listed([best, *found.level])} are level, {reached}."]
    second = found.figures[others[0]].mean
    sentences = [
        f"Best for {purpose}: {best} reaches {reached}, {quality(found.gap, unit)} ({share(found.gap, second)}) "
        f"lower than the next, {others[0]} ({quality(second, unit)})."
    ]
    if found.spread is None:
        sentences.append("With one seed each, a small difference may be chance; repeat it with several seeds.")
    elif not found.decided:
        sentences.append(
            f"That is within the spread over seeds (standard deviation {quality(found.spread, unit)}), "
            f"so these runs do not tell {listed([best, *found.as_good])} apart."
        )
    return sentences


def against_in_words(best: str, found: Against, unit: Unit) -> str:
    """Which baselines the best setting passes."""
    passed, ahead = (
        [f"{name} ({quality(value, unit)})" for name, value in lines.items()] for lines in (found.passed, found.ahead)
    )
    if not ahead:
        return f"{best} passes every baseline: {listed(passed)}."
    if not passed:
        return f"{best} passes no baseline: {listed(ahead)} {_are(ahead)} better."
    return f"{best} passes {listed(passed)}; {listed(ahead)} {_are(ahead)} still better."


def time_in_words(found: Time, unit: Unit) -> list[str]:
    """Which settings are the best for their time, and what the fastest gives up."""
    if len(found.candidates) < 2:
        return []
    names = [point.name for point in found.front]
    times = sorted(point.seconds for point in found.candidates)
    if found.given is not None:
        return [
            f"Every run was given the same time, {seconds(60 * found.given)}, so the time that it took to its best "
            f"({seconds(times[0])} to {seconds(times[-1])}) ranks nothing: for that time {listed(names)} "
            f"{_are(names)} the best, and for less the learning curves over time say which."
        ]
    if found.same_time:
        return [
            f"All took the same time to their best ({seconds(times[0])} to {seconds(times[-1])}), so time ranks "
            f"nothing: for that time {listed(names)} {_are(names)} the best."
        ]
    written = [f"{point.name} ({seconds(point.seconds)}, {quality(point.loss, unit)})" for point in found.front]
    if len(names) == 1:
        return [f"Best for time too: {written[0]} is the fastest as well: nothing beats it on either."]
    sentences = [
        f"Best for time: nothing beats {listed(written)} on both time to the best validation loss and {UNITS[unit]}.",
        *_given_up(found.front[0], found.front[-1], found.within_spread, unit),
    ]
    if found.beaten:
        sentences.append(f"{listed(found.beaten)} {_are(found.beaten)} beaten by one of these.")
    return sentences


def _given_up(fast: Candidate, best: Candidate, within_spread: bool, unit: Unit) -> list[str]:
    saved, lost = best.seconds - fast.seconds, fast.loss - best.loss
    if saved <= 0:
        return []
    times = f", {best.seconds / fast.seconds:.1f} times as fast," if fast.seconds > 0 else ""
    sentences = [
        f"{fast.name} is there {seconds(saved)} sooner than {best.name}{times} and gives up "
        f"{quality(lost, unit)} ({share(lost, best.loss)}) for it."
    ]
    if within_spread:
        sentences.append(f"What {fast.name} gives up is within the spread over seeds: take it.")
    return sentences


def race_in_words(found: Race, unit: Unit) -> str:
    """Who came first to the level that all reached."""
    (first, at), *others = found.seconds.items()
    rest = [f"{name} after {seconds(later)}" for name, later in others]
    return (
        f"To {with_unit(found.level, unit)}, the level that every run reached under the evaluation in training, "
        f"{first} came first, after {seconds(at)}; {listed(rest)}."
    )


def left_out_in_words(rows: Sequence[Row]) -> list[str]:
    """Why rows do not count: a sentence each or, of very many, one for all that have the same reason."""
    same: dict[str, list[str]] = {}
    for row in rows:
        why = f" ({row.reason.rstrip('.')})" if row.reason else ""
        did = {"diverged": "diverged", "failed": "failed", "interrupted": "was interrupted"}[row.status]
        same.setdefault(f"{did}{why}", []).append(row.id)
    if len(rows) <= MOST_LISTED or len(same) == len(rows):
        return [f"{id} is left out: it {why}." for why, ids in same.items() for id in ids]
    return [f"{listed(ids)} {_are(ids)} left out: {'each ' if len(ids) > 1 else 'it '}{why}."
            for why, ids in same.items()]  # fmt: skip


def apart_in_words(rows: Sequence[Row]) -> list[str]:
    """Why rows that finished are not compared."""
    ids = [row.id for row in rows]
    why = "was scored on the very text that it was trained on, which is memorisation"
    if len(ids) > MOST_LISTED:
        return [f"{listed(ids)} are not compared: each {why}."]
    return [f"{id} is not compared: it {why}." for id in ids]


def _over_seeds(figure: Spread) -> str:
    return f" (mean of {figure.count} seeds)" if figure.count > 1 else ""


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"
