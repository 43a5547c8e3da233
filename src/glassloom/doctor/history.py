"""`glassloom doctor RUN`: what a run of ours wrote down while it trained, judged.

The model itself is examined like anybody's; what is added here are findings that only a history can give (the names are
in `glassloom.doctor.run_names`). One cause is reported once: what follows from a finding further up is left out.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from glassloom.doctor import borders, course, floor, rates
from glassloom.doctor.additions import of_history
from glassloom.doctor.examine import Watcher, examine
from glassloom.doctor.finding import Diagnosis, Finding
from glassloom.doctor.names import NAMES, finding
from glassloom.doctor.recorded import History, recorded
from glassloom.doctor.run_names import RUN_NAMES
from glassloom.errors import RunError
from glassloom.models import build
from glassloom.runs import Run, load_run

CHECKS: tuple[Callable[[History], Finding | None], ...] = (
    course.lost,
    course.out_of_memory,
    course.never_moved,
    floor.below_floor,
    course.rose_again,
    course.memorising,
    course.worse_than_counting,
    borders.sawtooth,
    rates.rate_at_zero,
    course.valid_far_above_train,
    rates.always_clipped,
    rates.update_ratios,
    course.still_falling,
)
"""Every check of a history; each gives one finding at most."""

LEVELS = {"worse-than-unigram", "worse-than-bigram", "valid-far-above-train", "still-falling"}
"""Findings that say how low the loss came, and nothing of why."""
BEGINNINGS = {"vanishing-gradient", "exploding-gradient", "saturated-attention", "bad-initial-loss"}
"""Findings on a newly built model that training can leave behind."""
LEARNED = 0.8
"""A validation loss below this share of ln V is learned."""
FOLLOWS: dict[str, set[str]] = {
    "non-finite": set(RUN_NAMES),
    "loss-above-uniform": set(RUN_NAMES),
    "loss-never-moved": LEVELS | {"updates-too-small", "learning-rate-at-zero", "always-clipped"},
    "loss-rose-again": LEVELS | {"updates-too-large"},
    "memorising": LEVELS,
    "sawtooth-at-borders": {"loss-rose-again", "still-falling"},
    "worse-than-unigram": {"still-falling"},
    "learning-rate-at-zero": {"updates-too-small", "still-falling"},
    "always-clipped": set(),
}
"""What is left out beside a finding that is more than a note, because it follows from it."""


def examine_run(folder: str | Path, *, seed: int = 0, watch: Watcher | None = None) -> Diagnosis:
    """Examine the model of a run, newly built, and judge what the run recorded; notes leave it healthy.

    `watch` is told what is done next, as by `glassloom.doctor.examine.examine`.

    >>> examine_run("runs/demo/gru").verdict  # doctest: +SKIP
    'healthy'

    Raises:
        RunError: there is no run, or it is damaged, still training, or was never trained.
    """
    run = load_run(folder)
    if run.imported:
        return of_imported(run, seed, watch)
    history = recorded(run)
    found = judged(history)
    if watch is not None:
        watch("reading the history", found)
    of_model = examine_model(run, seed, watch).findings
    return Diagnosis(together(outgrown(of_model) if has_learned(history, found) else of_model, found))


def of_imported(run: Run, seed: int, watch: Watcher | None) -> Diagnosis:
    """A model that was trained elsewhere: newly built by its settings, then its own weights; it has no history."""
    found = outgrown(examine_model(run, seed, watch).findings)
    tokens = torch.randint(run.tokenizer.size, (2, 16), generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        logits = run.model()(tokens)[0]
    if bad := int((~logits.isfinite()).sum()):
        words = f"Of the logits of the weights that were imported {bad:,} of {logits.numel():,} are not finite."
        found = (finding("non-finite", {"not_finite": bad, "logits": logits.numel()}, words), *found)
    return Diagnosis(found, {"not_measured": ["the history: the model was trained elsewhere"]})


def examine_model(run: Run, seed: int = 0, watch: Watcher | None = None) -> Diagnosis:
    """The model of a run's settings, newly built, with the loss that it is trained with; its rate is the history's."""

    def build_model(vocabulary: int) -> nn.Module:
        return build(run.config.model, vocabulary)

    return examine(build_model, vocabulary=run.tokenizer.size, seed=seed, watch=watch)


def has_learned(history: History, found: tuple[Finding, ...]) -> bool:
    """Whether nothing is wrong with a history, and held-out text is predicted better than by guessing."""
    return all(one.severity == "note" for one in found) and history.best_valid < LEARNED * history.uniform


def outgrown(of_model: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Findings on how a new model begins become notes, where training has led away from there."""
    told = " This run has learned all the same."
    return tuple(
        replace(one, severity="note", explanation=one.explanation + told) if one.name in BEGINNINGS else one
        for one in of_model
    )


def together(of_model: tuple[Finding, ...], of_history: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The model's findings first, for they are causes, and without what follows from them in the history."""
    sick = [finding for finding in of_model if finding.severity != "note"]
    told = {finding.name for finding in of_model}
    follows = told | (LEVELS | {"loss-never-moved"} if sick else set())
    kept = [finding for finding in of_history if finding.name not in follows]
    return (*sick, *kept, *(finding for finding in of_model if finding.severity == "note"))


def judged(history: History) -> tuple[Finding, ...]:
    """The findings of a history, the likeliest cause first."""
    try:
        found = [finding for check in CHECKS if (finding := check(history)) is not None]
    except (KeyError, TypeError) as error:
        raise RunError(
            f"The records of run {history.run.name} are damaged: {type(error).__name__} {error}",
            "the files that glassloom wrote",
            "name another run",
        ) from error
    return in_order([*found, *of_history(history)])


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Without what follows from another finding; fatal ones first, then by the order of the catalogue."""
    found = list(found)
    follows = set().union(*(FOLLOWS.get(one.name, set()) for one in found if one.severity != "note"))
    causes = {one.name for one in found if one.name in ("non-finite", "loss-above-uniform")}
    kept = [one for one in found if one.name not in follows or one.name in causes]
    severities, names = ("fatal", "serious", "note"), list(RUN_NAMES)
    place = {name: number for number, name in enumerate(names)}
    return tuple(
        sorted(
            kept, key=lambda one: (severities.index(one.severity), place.get(one.name, -1 if one.name in NAMES else 99))
        )
    )
