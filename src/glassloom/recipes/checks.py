"""What is wrong in a recipe beyond the types of its keys: names of nothing, names twice, settings that cannot be."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from glassloom.config import Config, all_settings, plain_name
from glassloom.errors import InputError, SettingError, nearest
from glassloom.recipes.recipe import PlannedRun, Recipe, Target
from glassloom.recipes.tables import perplexity_in

OF_THE_PAGE = ("results.json", "report.html", "page.json", "fit.json", "figures", "tables", "kept")
"""What stands beside the run folders, so that no run can be called so."""
Place = tuple[str | int, ...]


def check(recipe: Recipe) -> None:
    """Everything that can be told from the recipe alone.

    Raises:
        InputError: something is named twice, or names nothing (the nearest is offered); the line is named.
        SettingError: a setting is unknown or cannot be what it is.
    """
    check_names(recipe)
    check_references(recipe)
    for number, target in enumerate(recipe.target):
        check_target(recipe, target, ("target", number))
    check_known(recipe)
    check_values(recipe)


def check_names(recipe: Recipe) -> None:
    """Every part and every run has a name of its own, and no run that of a file of the page."""
    parts: set[str] = set()
    ids: set[str] = set()
    for at, part in enumerate(recipe.part):
        if part.name in parts:
            raise twice(recipe, "parts", part.name, ("part", at, "name"))
        parts.add(part.name)
        for number, run in enumerate(part.runs):
            place: Place = ("part", at, "runs", number, "id")
            folder = run.id.lower()  # the same folder where a file system does not tell A from a
            if folder in ids:
                raise twice(recipe, "runs", run.id, place)
            if folder in OF_THE_PAGE:
                raise InputError(
                    f"{recipe.place(*place)}: a run cannot be called {run.id}, for the page has a file of that name",
                    f"none of {', '.join(OF_THE_PAGE)}",
                    "choose another id",
                )
            ids.add(folder)


def twice(recipe: Recipe, what: str, name: str, place: Place) -> InputError:
    """The error for a name that is taken."""
    return InputError(
        f"{recipe.place(*place)}: two {what} are called {name}", "a name of its own for each", "rename one"
    )


def check_references(recipe: Recipe) -> None:
    """What names a run, a group or a part names one that there is."""
    ids, parts = [run.id for _, run in recipe.runs()], [part.name for part in recipe.part]
    for at, part in enumerate(recipe.part):
        for number, run in enumerate(part.runs):
            if run.group and run.group not in recipe.groups:
                place = recipe.place("part", at, "runs", number, "group")
                there = f"one of {', '.join(recipe.groups)}" if recipe.groups else "a group of [groups]"
                fix = nearest(run.group, recipe.groups) if recipe.groups else f"add [groups] with {run.group} = {{}}"
                raise InputError(f"{place}: there is no group {run.group}", there, fix)
    for number, name in enumerate(recipe.quick.only):
        check_name(recipe, name, [*ids, *recipe.groups, *parts], "run", ("quick", "only", number))
    for name in recipe.quick.runs:
        check_name(recipe, name, ids, "run", ("quick", "runs", name))
    for number, target in enumerate(recipe.target):
        if target.run:
            check_name(recipe, target.run, ids, "run", ("target", number, "run"))
        for nth, name in enumerate(target.runs):
            check_name(recipe, name, ids, "run", ("target", number, "runs", nth))
    for number, entry in enumerate(recipe.page):
        if entry.part:
            check_name(recipe, entry.part, parts, "part", ("page", number, "part"))


def check_name(recipe: Recipe, name: str, known: Sequence[str], what: str, place: Place) -> None:
    """Whether a name is one of those that are known."""
    if name not in known:
        raise InputError(
            f"{recipe.place(*place)}: there is no {what} {name}", f"the name of a {what}", nearest(name, known)
        )


def check_target(recipe: Recipe, target: Target, place: Place) -> None:
    """A target asks for something, and its table has every figure that it asks for."""
    asked = [target.at_most, target.at_least, target.reported, target.table or None]
    if sum(one is not None for one in asked) != 1:
        raise InputError(
            f"{recipe.place(*place)}: the target {target.figure} does not say what must be reached",
            "one of at_most, at_least, reported and table",
            "give one of these",
        )
    for run in (target.runs or (target.run,)) if target.table else ():
        try:
            perplexity_in(target.table, run, target.epoch)
        except InputError as error:
            raise InputError(
                f"{recipe.place(*place, 'table')}: {lower(error.what)}", error.expected, error.fix
            ) from None


def lower(sentence: str) -> str:
    """A sentence as it goes on after a colon."""
    return sentence[:1].lower() + sentence[1:]


def layers(recipe: Recipe) -> Iterable[tuple[Place, Mapping[str, Any]]]:
    """Every place of settings, from the most general on."""
    yield ("settings",), recipe.settings
    for name, settings in recipe.groups.items():
        yield ("groups", name), settings
    for at, part in enumerate(recipe.part):
        yield ("part", at, "settings"), part.settings
        for number, run in enumerate(part.runs):
            yield ("part", at, "runs", number), run.settings
    yield ("quick", "settings"), recipe.quick.settings
    for name, settings in recipe.quick.runs.items():
        yield ("quick", "runs", name), settings


def check_known(recipe: Recipe) -> None:
    """Every setting is one that there is, wherever it stands."""
    known = [setting.name for setting in all_settings()] + ["model"]
    for place, settings in layers(recipe):
        for name in settings:
            at = recipe.place(*place, name)
            try:
                plain = plain_name(name)
            except SettingError as error:
                raise SettingError(f"{at}: {lower(error.what)}", "a setting", error.fix) from None
            if plain not in known:
                raise SettingError(f"{at}: there is no setting {name}", "a setting", nearest(plain, known))


def check_values(recipe: Recipe) -> None:
    """Every run's settings go together and are within their bounds, in the full and in the short version."""
    for at, part in enumerate(recipe.part):
        for number, run in enumerate(part.runs):
            for quick in (False, True):
                given = recipe.given(part, run, quick=quick)
                try:
                    Config.from_flat(given)
                except SettingError as error:
                    found = culprit(recipe, run, ("part", at, "runs", number), given, error.what, quick)
                    fix = error.fix if error.fix.endswith("?") else "mend that line"
                    said = f"{recipe.place(*found)}: run {run.id}: {lower(error.what)}"
                    raise SettingError(said, error.expected, fix) from None


def culprit(recipe: Recipe, run: PlannedRun, place: Place, given: Mapping[str, Any], what: str, quick: bool) -> Place:
    """Where the setting stands that an error is about: the last of the places that the run takes it from."""
    there = dict(layers(recipe))
    above: list[Place] = [("quick", "runs", run.id), ("quick", "settings")] if quick else []
    above += [place, (*place[:2], "settings"), ("groups", run.group), ("settings",)]
    named = {name: found.start() for name in given if (found := re.search(rf"\b{plain_name(name)}\b", what))}
    for name in [*sorted(named, key=lambda name: named[name]), "model"]:  # model: there is no such architecture
        for one in above:
            if name in there.get(one, {}):
                return (*one, name)
    return place
