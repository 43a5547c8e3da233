"""A recipe from its file: read, checked, and refused with the line of what is wrong."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from glassloom.errors import InputError, nearest
from glassloom.recipes.checks import check
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
    """A recipe from TOML, with everything checked that can be told without its texts.

    Raises:
        InputError: it is no TOML, a key is unknown, missing or of another type; the line is named.
        SettingError: a setting is unknown or cannot be what it is.
    """
    try:
        recipe = Recipe.model_validate(tomllib.loads(text)).read_from(where, text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where} is no TOML: {error}", "TOML", "mend that line") from None
    except ValidationError as error:
        raise refusal(error, text, where) from None
    check(recipe)
    return recipe


EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "dict_type": "a table of names and values",
    "model_type": "a table of names and values",
    "tuple_type": "a list",
    "too_short": "at least one",
}
"""What was expected, by the validator's name for what is wrong."""
PATTERNS = {"id": "1 to 64 letters, digits, dots, hyphens or underscores", "name": "small letters, digits and hyphens"}


def refusal(error: ValidationError, text: str, where: str) -> InputError:
    """What is wrong with a recipe, with its line: an unknown key before all else, for it is why another is missing."""
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    path = list(first["loc"])
    line = line_of(text, path)
    at = f"{where}, line {line}" if line else where
    key = str(next((part for part in reversed(path) if isinstance(part, str)), "the recipe"))
    if first["type"] == "extra_forbidden":
        known = keys_at(path)
        return InputError(f"{at}: unknown key {key}", f"one of {', '.join(known)}", nearest(key, known))
    if first["type"] == "missing":
        return InputError(f"{at}: {key} is missing", "every key that a recipe needs", f"add {key} = ...")
    expected = EXPECTED.get(first["type"]) or PATTERNS.get(key, "a value that fits")
    return InputError(f"{at}: {key} cannot be {first['input']!r}", expected, "mend that line")


def keys_at(path: list[Any]) -> list[str]:
    """The keys that are known where an unknown one stands."""
    kinds: dict[Any, type[BaseModel]] = {"part": Part, "quick": Quick, "target": Target, "runs": PlannedRun}
    for name in reversed(path[:-1]):
        if name in kinds:
            return list(kinds[name].model_fields)
    return list(Recipe.model_fields)
