"""Which runs of a recipe to make, and how long each: all of it, or the quick version."""

from collections.abc import Sequence
from dataclasses import dataclass

from glassloom.comparison.grid import Planned
from glassloom.config import Config
from glassloom.errors import InputError, SettingError, nearest
from glassloom.recipes import Part, Recipe, merged


@dataclass(frozen=True)
class Plan:
    """The runs to make, by part, and in words what a time to fit into made of them."""

    parts: tuple[tuple[Part, tuple[Planned, ...]], ...]
    left_out: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    """The runs that found no place in the time."""

    @property
    def runs(self) -> list[Planned]:
        """All runs, in order."""
        return [run for _, runs in self.parts for run in runs]


def plan(
    recipe: Recipe,
    *,
    only: Sequence[str] = (),
    epochs: float | None = None,
    quick: bool = False,
    tensorboard: bool = False,
) -> Plan:
    """The runs as the recipe has them; `only` names ids, groups or parts, `epochs` replaces every budget.

    With `tensorboard` every run writes event files.

    Raises:
        InputError: `only` names nothing of the recipe (the nearest is offered); a setting is unknown or out of bounds.
    """
    check_names(recipe, only)
    ids = {run.id for _, run in recipe.runs()}
    parts = []
    for part in recipe.part:
        runs = []
        for run in part.runs:
            names = {run.id, *({run.group, part.name} - ids)}  # what is a run's id names that run alone
            left_out = part.optional or (quick and recipe.quick.only and not names & set(recipe.quick.only))
            if not names & set(only) if only else left_out:
                continue
            given = recipe.given(part, run, quick=quick)
            if epochs is not None:
                given = merged(given, {"epochs": epochs})
            if tensorboard:
                given = {**given, "tensorboard": True}
            try:
                Config.from_flat(given)
            except SettingError as error:
                raise SettingError(f"Run {run.id} of {recipe.name}: {error.what}", error.expected, error.fix) from None
            runs.append(Planned(run.id, run.id, given))
        if runs:
            parts.append((part, tuple(runs)))
    return Plan(tuple(parts))


def check_names(recipe: Recipe, only: Sequence[str]) -> None:
    """Every name must be that of a run, a group or a part."""
    known = list(dict.fromkeys(name for part, run in recipe.runs() for name in (run.id, run.group, part.name) if name))
    for name in only:
        if name not in known:
            raise InputError(f"{recipe.name} has no run {name}", f"one of {', '.join(known)}", nearest(name, known))


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
