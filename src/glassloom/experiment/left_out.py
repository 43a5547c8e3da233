"""What the page has not of the full experiment, told from what is there: whichever call left it out."""

from collections.abc import Mapping, Sequence
from typing import Any

from glassloom.comparison.execution import Outcome
from glassloom.config import BUDGETS, Config, plain_names
from glassloom.recipes import Part, PlannedRun, Recipe
from glassloom.runs import Run


def left_out(
    recipe: Recipe, shown: Mapping[str, tuple[Outcome, Run | None]], *, quick: bool, dropped: Sequence[str] = ()
) -> list[str]:
    """Which runs are not there, and of each that is what is not as the recipe has it; `dropped` are said elsewhere."""
    absent, words = [], []
    for part, planned in recipe.runs():
        outcome, run = shown.get(planned.id, (None, None))
        if run is None and (outcome is None or outcome.status != "failed"):
            absent += [planned.id] if planned.id not in dropped else []
            continue
        parts = differences(recipe, part, planned, run.config, quick) if run else []
        if outcome is not None and outcome.status == "failed":
            parts.append("failed; what is shown of it is from before" if run else "failed")
        elif outcome is not None and outcome.status != "finished" and run is not None:
            reason = (outcome.reason or "").rstrip(".")
            parts.append(f"{outcome.status} after {epochs_of(run):.3g} epochs" + (f" ({reason})" if reason else ""))
        if parts:
            words.append(f"{planned.id}: {', '.join(parts)}.")
    return [f"Not trained here: {', '.join(absent)}; --only names them.", *words] if absent else words


def epochs_of(run: Run) -> float:
    """How far a run has come, by its newest checkpoint."""
    return next((checkpoint.epoch for checkpoint in run.checkpoints()), 0.0)


def differences(recipe: Recipe, part: Part, planned: PlannedRun, now: Config, quick: bool) -> list[str]:
    """In words: which of the settings that the recipe names a run has otherwise, its budget first."""
    given = plain_names(recipe.given(part, planned))
    full = Config.from_flat(given)
    (name, amount), (short_name, short_amount) = full.train.budget(), now.train.budget()
    parts = []
    if (name, amount) != (short_name, short_amount):
        parts.append(f"{short_amount:g} {short_name.replace('_', ' ')} instead of {amount:g} {name.replace('_', ' ')}")
    before, after = full.flat(), now.flat()
    changed = [key for key in given if before[key] not in ("auto", after.get(key))]
    if quick:
        changed += short_only(recipe, part, planned, before, after)
    return parts + [
        f"{key.replace('_', ' ')} {after.get(key)} instead of {before.get(key)}"
        for key in changed
        if key not in BUDGETS
    ]


def short_only(
    recipe: Recipe, part: Part, planned: PlannedRun, before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[str]:
    """The settings that the short version alone names, where the run has them so."""
    given = plain_names(recipe.given(part, planned, quick=True))
    short = Config.from_flat(given).flat()
    named = set(given) - set(plain_names(recipe.given(part, planned)))
    return [key for key in given if key in named and short[key] == after.get(key) != before.get(key)]
