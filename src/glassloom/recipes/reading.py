"""A recipe from its file: read, checked, and refused with the line of what is wrong."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from glassloom.config import all_settings, plain_name
from glassloom.errors import InputError, nearest
from glassloom.recipes.lines import line_of
from glassloom.recipes.recipe import Part, PlannedRun, Quick, Recipe, Target

FOLDER = Path(__file__).parent


def listed() -> dict[str, Path]:
    """The recipes that come with Glassloom, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.toml"))}


def load_recipe(named: str | Path) -> Recipe:
    """The recipe of a listed name, or of a TOML file.

    >>> load_recipe("ptb-architectures").part[0].corpus
    'ptb'

    Raises:
        InputError: there is none (the nearest is offered), or the file is no recipe (the line is named).
    """
    known, path = listed(), Path(named)
    if str(named) in known:
        path = known[str(named)]
    elif path.suffix != ".toml":
        raise InputError(
            f"There is no recipe {named}", f"{', '.join(known)}, or a TOML file", nearest(str(named), known)
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "a TOML file in UTF-8", "give another one") from None
    return parse(text, str(path))


def parse(text: str, where: str = "the recipe") -> Recipe:
    """A recipe from TOML.

    Raises:
        InputError: it is no TOML, a key is unknown, missing or of another type; the line is named.
    """
    try:
        recipe = Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is no TOML: {error}", "TOML", "mend that line") from None
    except ValidationError as error:
        raise refusal(error, text, where) from None
    check_ids(recipe, text, where)
    check_settings(recipe, text, where)
    return recipe


def refusal(error: ValidationError, text: str, where: str) -> InputError:
    """What is wrong with a recipe, with its line: an unknown key before all else, for it is why another is missing."""
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    path = list(first["loc"])
    line = line_of(text, path)
    at = f"{where}, line {line}" if line else where
    key = str(path[-1])
    if first["type"] == "extra_forbidden":
        known = keys_at(path)
        return InputError(f"{at}: unknown key {key}", f"one of {', '.join(known)}", nearest(key, known))
    if first["type"] == "missing":
        return InputError(f"{at}: {key} is missing", "every key that a recipe needs", f"add {key} = ...")
    shown = ".".join(str(part) for part in path)
    return InputError(f"{at}: {shown} does not fit: {first['msg']}", "a value that fits", "mend that line")


def keys_at(path: list[Any]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    kinds: dict[Any, type[BaseModel]] = {"part": Part, "quick": Quick, "target": Target, "runs": PlannedRun}
    for name in reversed(path[:-1]):
        if name in kinds:
            return list(kinds[name].model_fields)
    return list(Recipe.model_fields)


def check_ids(recipe: Recipe, text: str, where: str) -> None:
    """Every run has an id of its own, and what names a run names one that there is.

    Raises:
        InputError: an id is there twice, or a target or the quick version names none.
    """
    ids: list[str] = []
    for at, part in enumerate(recipe.part):
        for number, run in enumerate(part.runs):
            if run.id in ids:
                line = line_of(text, ["part", at, "runs", number, "id"])
                raise InputError(f"{where}, line {line}: two runs are called {run.id}", "an id of its own for each", "")
            ids.append(run.id)
    named = [run for target in recipe.target for run in (*target.runs, target.run) if run] + [
        *recipe.quick.only,
        *recipe.quick.runs,
    ]
    for name in named:
        if name not in ids and name not in {part.name for part in recipe.part}:
            raise InputError(f"{where}: there is no run {name}", "the id of a run or part", nearest(name, ids))


def check_settings(recipe: Recipe, text: str, where: str) -> None:
    """Every setting is one that there is, wherever it stands.

    Raises:
        InputError: one is not (its line is named, and the nearest name).
    """
    known = [setting.name for setting in all_settings()] + ["model"]
    places: list[tuple[list[Any], Mapping[str, Any]]] = [(["settings"], recipe.settings)]
    places += [(["groups", name], settings) for name, settings in recipe.groups.items()]
    for at, part in enumerate(recipe.part):
        places.append((["part", at, "settings"], part.settings))
        places += [(["part", at, "runs", number], run.settings) for number, run in enumerate(part.runs)]
    places.append((["quick", "settings"], recipe.quick.settings))
    places += [(["quick", "runs", name], settings) for name, settings in recipe.quick.runs.items()]
    for path, settings in places:
        for name in settings:
            if plain_name(name) not in known:
                line = line_of(text, [*path, name])
                raise InputError(f"{where}, line {line}: there is no setting {name}", "a setting", nearest(name, known))
