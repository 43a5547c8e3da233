"""Which runs of a recipe to make, and how long each: all of it, the quick version, or what fits into a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from glassloom.comparison.grid import Planned
from glassloom.config import BUDGETS, Config
from glassloom.errors import InputError, SettingError, nearest
from glassloom.recipes import Part, Recipe, merged

FEWEST_STEPS = 20
"""A run that would get fewer updates than this is left out."""
RESERVE = 0.8
"""Of the time to fit into, this share is for training; the rest is evaluation, samples and the page."""


@dataclass(frozen=True)
class Plan:
    """The runs to make, by part, and in words what the full experiment would have beyond them."""

    parts: tuple[tuple[Part, tuple[Planned, ...]], ...]
    left_out: tuple[str, ...] = ()

    @property
    def runs(self) -> list[Planned]:
        """All runs, in order."""
        return [run for _, runs in self.parts for run in runs]


def plan(recipe: Recipe, *, only: Sequence[str] = (), epochs: float | None = None, quick: bool = False) -> Plan:
    """The runs as the recipe has them; `only` names ids, groups or parts, `epochs` replaces every budget.

    Raises:
        InputError: `only` names nothing of the recipe (the nearest is offered); a setting is unknown or out of bounds.
    """
    check_names(recipe, only)
    ids = {run.id for _, run in recipe.runs()}
    parts, skipped, changed = [], [], []
    for part in recipe.part:
        runs = []
        for run in part.runs:
            names = {run.id, *({run.group, part.name} - ids)}  # what is a run's id names that run alone
            if only and not names & set(only):
                continue
            left_out = part.optional or (quick and recipe.quick.only and not names & set(recipe.quick.only))
            if not only and left_out:
                skipped.append(run.id)
                continue
            full = recipe.given(part, run)
            given = recipe.given(part, run, quick=quick)
            if epochs is not None:
                given = merged(given, {"epochs": epochs})
            try:
                config = Config.from_flat(given)
            except SettingError as error:
                raise SettingError(f"Run {run.id} of {recipe.name}: {error.what}", error.expected, error.fix) from None
            if full != given:
                changed.append(difference(run.id, Config.from_flat(full), config))
            runs.append(Planned(run.id, run.id, given))
        if runs:
            parts.append((part, tuple(runs)))
    words = [f"Not trained here: {', '.join(skipped)}; --only names them."] if skipped else []
    return Plan(tuple(parts), (*words, *changed))


def check_names(recipe: Recipe, only: Sequence[str]) -> None:
    """Every name must be that of a run, a group or a part."""
    known = list(dict.fromkeys(name for part, run in recipe.runs() for name in (run.id, run.group, part.name) if name))
    for name in only:
        if name not in known:
            raise InputError(f"{recipe.name} has no run {name}", f"one of {', '.join(known)}", nearest(name, known))


def difference(id: str, full: Config, now: Config) -> str:
    """In words: what is not as in the full experiment."""
    (name, amount), (short_name, short_amount) = full.train.budget(), now.train.budget()
    before, after = full.flat(), now.flat()
    parts = []
    if (name, amount) != (short_name, short_amount):
        parts.append(f"{short_amount:g} {short_name.replace('_', ' ')} instead of {amount:g} {name.replace('_', ' ')}")
    parts += [
        f"{key.replace('_', ' ')} {after[key]} instead of {before.get(key)}"
        for key in after
        if key not in BUDGETS and after[key] != before.get(key)
    ]
    return f"{id}: {', '.join(parts)}."


def fitted(full: Plan, seconds: float, estimate: Callable[[Planned], tuple[float, float]]) -> Plan:
    """The plan shrunk into so many seconds: every budget by one factor; what would get nearly nothing is left out.

    `estimate` gives, for a run, the seconds that its budget would take on this machine and the updates in it.

    Raises:
        InputError: not even one run fits.
    """
    cost = {run.id: estimate(run) for run in full.runs}
    there = seconds * RESERVE
    kept = sorted(cost, key=lambda id: cost[id][0])
    while kept:
        factor = min(1.0, there / max(1e-9, sum(cost[id][0] for id in kept)))
        starved = [id for id in kept if factor < 1 and cost[id][1] * factor < FEWEST_STEPS]
        if not starved:
            break
        kept.remove(max(starved, key=lambda id: cost[id][0]))
    if not kept:
        shortest = min(one for one, _ in cost.values()) / RESERVE
        raise InputError(
            f"No run fits into {seconds / 60:g} minutes",
            f"some share of the {hours(shortest)} that the shortest takes at full length",
            "give --fit more time, or choose with --only",
        )
    parts, words = [], []
    for part, runs in full.parts:
        chosen = tuple(replace(run, given=shrunk(run.given, factor)) for run in runs if run.id in kept)
        if chosen:
            parts.append((part, chosen))
    dropped = [run.id for run in full.runs if run.id not in kept]
    if dropped:
        words.append(f"Left out, for want of time: {', '.join(dropped)}.")
    if factor < 1:
        words.append(
            f"At full length this machine would take {hours(sum(cost[run.id][0] for run in full.runs))}; "
            f"every run was given {factor:.3g} of its full budget, its schedule drawn together."
        )
    return Plan(tuple(parts), (*full.left_out, *words))


def shrunk(given: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The settings with the budget multiplied, and what counts in steps with it."""
    if factor >= 1:
        return dict(given)
    name, amount = Config.from_flat(given).train.budget()
    whole = name in ("steps", "train_tokens")
    changed: dict[str, Any] = {name: max(1, int(amount * factor)) if whole else amount * factor}
    for key in ("eval_every", "save_every", "sample_every"):
        if given.get(key):
            changed[key] = max(1, int(given[key] * factor))
    return merged(given, changed)


def hours(seconds: float) -> str:
    """A long time in words.

    >>> hours(90), hours(5400), hours(360000)
    ('90 seconds', '90 minutes', '100 hours')
    """
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


def duration(text: str) -> float:
    """`45min`, `2h`, `90s` in seconds; a bare number is minutes.

    >>> duration("45min"), duration("2h"), duration("1.5")
    (2700.0, 7200.0, 90.0)

    Raises:
        SettingError: it is no duration.
    """
    units = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "hours": 3600, "": 60}
    number = text.strip().rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = text.strip()[len(number) :].strip()
    try:
        seconds = float(number) * units[unit]
    except (ValueError, KeyError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise SettingError(f"--fit cannot be {text!r}", "a time as 45min, 2h or 90s", "write one of these")
    return seconds
