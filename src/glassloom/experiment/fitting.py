"""A plan shrunk into a time: this machine measured once, and what each run was given kept beside the runs."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from glassloom.comparison.grid import Planned
from glassloom.config import Config
from glassloom.errors import InputError, notice
from glassloom.experiment.planning import Plan, hours
from glassloom.recipes import merged
from glassloom.runs import load_run
from glassloom.storage import replace_file, storing

FIT = "fit.json"
"""What each run was given, in the folder of the runs: measured again, the machine would say something else."""
FEWEST_STEPS = 20
"""A run that would get fewer updates than this is left out."""
RESERVE = 0.8
"""Of the time to fit into, this share is for training; the rest is evaluation, samples and the page."""
MOMENTS = ("eval_every", "save_every", "sample_every")

Estimate = Callable[[Planned], tuple[float, float]]
"""The seconds that a run's budget would take on this machine, and the updates in it."""


@dataclass(frozen=True)
class Share:
    """What one run gets of a time."""

    fit_seconds: float
    full: dict[str, Any]
    """Its settings at full length."""
    full_seconds: float
    given: dict[str, Any] | None
    """Its settings now; None where it is left out."""
    factor: float


def fitted(full: Plan, seconds: float, estimate: Estimate) -> Plan:
    """The plan shrunk into so many seconds: every budget by one factor; what would get nearly nothing is left out.

    Raises:
        InputError: not even one run fits.
    """
    return with_shares(full, shares(full.runs, seconds, seconds, estimate))


def refitted(full: Plan, seconds: float, estimate: Estimate, out: Path, recipe: str, *, replace: bool) -> Plan:
    """The same, but what was planned for the same time before stays so, and so does whatever was begun.

    Only the other runs are measured; they share what the unfinished ones leave of the time. The plan is kept in `out`.

    Raises:
        InputError: not even one run fits, or the plan there cannot be read.
    """
    before = stored(out / FIT)
    kept: dict[str, Share] = {}
    for run in full.runs:
        one, begun = before.get(run.id), (out / run.id).is_dir()
        if replace:
            continue
        if one and one.full == run.given and (one.fit_seconds == seconds or (begun and one.given)):
            kept[run.id] = one
        elif begun:  # without a plan: as long as it was to be then
            kept[run.id] = Share(seconds, run.given, 0.0, run.given, 1.0)
    new = [run for run in full.runs if run.id not in kept]
    made: dict[str, Share] = {}
    if new:
        owed = sum(one.full_seconds * one.factor for id, one in kept.items() if not finished(out / id))
        try:
            made = shares(new, seconds, seconds - owed / RESERVE, estimate)
        except InputError:
            if not any(one.given for one in kept.values()):
                raise
            made = {run.id: Share(seconds, run.given, 0.0, None, 0.0) for run in new}
    if kept:
        notice(f"As planned before ({out / FIT}): {', '.join(kept)}; --replace measures this machine anew.")
    chosen = kept | made
    content = {"recipe": recipe, "runs": {id: asdict(one) for id, one in (before | chosen).items()}}
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
    replace_file(out / FIT, json.dumps(content, ensure_ascii=False, indent=1).encode())
    return with_shares(full, chosen)


def stored(path: Path) -> dict[str, Share]:
    """What was planned before, by run."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["runs"]
        return {id: Share(**one) for id, one in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            f"{path} is damaged", "the plan that --fit wrote there", "choose another --out, or delete that file"
        ) from None


def finished(folder: Path) -> bool:
    """Whether a run is there and done."""
    return folder.is_dir() and (load_run(folder).result() or {}).get("status") == "finished"


def shares(runs: list[Planned], fit_seconds: float, seconds: float, estimate: Estimate) -> dict[str, Share]:
    """What each run gets of so many seconds.

    Raises:
        InputError: not even one run fits.
    """
    cost = {run.id: estimate(run) for run in runs}
    there = seconds * RESERVE
    kept = sorted(cost, key=lambda id: cost[id][0])
    factor = 1.0
    while kept:
        factor = min(1.0, there / max(1e-9, sum(cost[id][0] for id in kept)))
        starved = [id for id in kept if factor < 1 and cost[id][1] * factor < FEWEST_STEPS]
        if not starved:
            break
        kept.remove(max(starved, key=lambda id: cost[id][0]))
    if not kept:
        shortest = min(one for one, _ in cost.values()) / RESERVE
        raise InputError(
            f"No run fits into {fit_seconds / 60:g} minutes",
            f"some share of the {hours(shortest)} that the shortest takes at full length",
            "give --fit more time, or choose with --only",
        )
    found = {}
    for run in runs:
        full_seconds, steps = cost[run.id]
        given = shrunk(run.given, factor, steps) if run.id in kept else None
        found[run.id] = Share(fit_seconds, run.given, full_seconds, given, factor if given else 0.0)
    return found


def with_shares(full: Plan, shares: Mapping[str, Share]) -> Plan:
    """The plan with what each run gets, and in words what that leaves out."""
    parts = []
    for part, runs in full.parts:
        given = [(run, shares[run.id].given) for run in runs]
        chosen = tuple(replace(run, given=dict(own)) for run, own in given if own is not None)
        if chosen:
            parts.append((part, chosen))
    words = []
    dropped = [run.id for run in full.runs if shares[run.id].given is None]
    if dropped:
        words.append(f"Left out, for want of time: {', '.join(dropped)}.")
    factors = {f"{one.factor:.3g}": one.factor for one in shares.values() if one.given and one.factor < 1}
    if factors:
        low, high = (f"{of(factors.values()):.3g}" for of in (min, max))
        every = f"every run was given {low} of its full budget, its schedule drawn together"
        each = f"the shortened runs were given {low} to {high} of their full budgets, their schedules drawn together"
        total = hours(sum(shares[run.id].full_seconds for run in full.runs))
        words.append(f"At full length this machine would take {total}; {every if low == high else each}.")
    return Plan(tuple(parts), tuple(words), tuple(dropped))


def shrunk(given: Mapping[str, Any], factor: float, steps: float) -> dict[str, Any]:
    """The settings with the budget multiplied; `steps` are the updates in the whole one.

    Moments of evaluation that count updates stay where they are while one of them is left, for pages ask for figures
    at them (an epoch of so many updates); only where none would be left, or nobody knows, they move along.
    """
    if factor >= 1:
        return dict(given)
    name, amount = Config.from_flat(given).train.budget()
    whole = name in ("steps", "train_tokens")
    changed: dict[str, Any] = {name: max(1, int(amount * factor)) if whole else amount * factor}
    known = steps * factor if steps < float("inf") else 0.0
    for moment in MOMENTS:
        if given.get(moment) and given[moment] > known:
            changed[moment] = max(1, int(given[moment] * factor))
    return merged(given, changed)
