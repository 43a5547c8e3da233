"""Whether the page of a recipe can be made: every entry is checked against its show before anything is trained."""

import inspect
import math
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from glassloom.comparison import Row
from glassloom.errors import InputError, nearest
from glassloom.experiment.sections import taken_names
from glassloom.experiment.shows import SHOWS
from glassloom.recipes import Recipe, Shown

KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
AT_AN_EPOCH = "valid_perplexity"
"""The one figure of a run that is known after each epoch."""
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Fault:
    """Something in an argument that does not fit: where, the value, and what to say."""

    path: Path
    value: Any
    what: str
    """Empty: that the value is what it is."""
    expected: str
    fix: str


def check_page(recipe: Recipe) -> None:
    """Whether everything that the page and the targets ask for can be there.

    Raises:
        InputError: an unknown show or argument, a value that does not fit, a name of nothing or a name twice.
    """
    names: set[str] = set()
    for number, entry in enumerate(recipe.page):
        check_entry(recipe, entry, number)
        name = entry.arguments.get("name")
        if name in names | taken_names(recipe):
            raise InputError(
                f"{recipe.place('page', number, 'name')}: two things on the page are called {name}",
                "a name of its own for each",
                "choose another name",
            )
        names |= {name} if name else set()
    figures = [name for name, hint in typing.get_type_hints(Row).items() if float in get_args(hint)]
    figures += [name for name, hint in typing.get_type_hints(Row).items() if int in get_args(hint)]
    for number, target in enumerate(recipe.target):
        if target.run or target.runs:
            known = figures if target.epoch is None else [AT_AN_EPOCH]
            if target.figure not in known:
                raise InputError(
                    f"{recipe.place('target', number, 'figure')}: a run has no figure {target.figure}"
                    + ("" if target.epoch is None else " of an epoch"),
                    f"one of {', '.join(known)}",
                    nearest(target.figure, known),
                )


def check_entry(recipe: Recipe, entry: Shown, number: int) -> None:
    """One entry of the page against the signature of its show."""
    if entry.show not in SHOWS:
        raise InputError(
            f"{recipe.place('page', number, 'show')}: there is no show {entry.show}",
            "one that there is",
            nearest(entry.show, SHOWS),
        )
    show, at = SHOWS[entry.show], ("page", number)
    hints = typing.get_type_hints(show, include_extras=True)
    parameters = {name: one for name, one in inspect.signature(show).parameters.items() if name != "experiment"}
    for name, value in entry.arguments.items():
        if name not in parameters:
            raise InputError(
                f"{recipe.place(*at, name)}: the show {entry.show} has no argument {name}",
                f"one of {', '.join(parameters) or '(none)'}",
                nearest(name, parameters) if parameters else "drop it",
            )
        for fault in faults(hints[name], value, recipe, (*at, name)):
            what = fault.what or f"{name} of the show {entry.show} cannot be {fault.value!r}"
            raise InputError(f"{recipe.place(*fault.path)}: {what}", fault.expected, fault.fix)
    for name, parameter in parameters.items():
        if name not in entry.arguments and parameter.default is inspect.Parameter.empty:
            raise InputError(f"{recipe.place(*at)}: the show {entry.show} needs {name}", f"{name} = ...", "add it")


def faults(hint: Any, value: Any, recipe: Recipe, path: Path) -> Iterator[Fault]:
    """What of a value does not fit a type, first things first; marks are asked where the type fits."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        found = list(faults(inner[0], value, recipe, path))
        complaints = [] if found else [mark.complaint(value, recipe) for mark in inner[1:]]
        yield from found or [Fault(path, value, *one) for one in complaints if one]
    elif origin in (Union, types.UnionType):
        wrong = [list(faults(one, value, recipe, path)) for one in inner if one is not type(None)]
        yield from min(wrong, key=len)
    elif origin is Literal:
        if value not in inner:
            yield Fault(path, value, "", f"one of {', '.join(inner)}", nearest(str(value), inner))
    elif origin is Sequence:
        if not isinstance(value, (list, tuple)):
            yield Fault(path, value, "", "a list", f"write [{value!r}]")
        else:
            for number, item in enumerate(value):
                yield from faults(inner[0], item, recipe, (*path, number))
    elif origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) != len(inner):
            yield Fault(path, value, "", f"a list of {len(inner)}", "mend that line")
        else:
            for number, (one, item) in enumerate(zip(inner, value, strict=True)):
                yield from faults(one, item, recipe, (*path, number))
    elif origin is Mapping or typing.is_typeddict(hint):
        yield from faults_of_table(hint, value, recipe, path)
    elif hint in KINDS and not is_a(value, hint):
        yield Fault(path, value, "", KINDS[hint], "mend that line")


def faults_of_table(hint: Any, value: Any, recipe: Recipe, path: Path) -> Iterator[Fault]:
    """The same of a table: of names and values of one type each, or of the keys that it must have."""
    if not isinstance(value, Mapping):
        yield Fault(path, value, "", "a table of names and values", "write { NAME = VALUE }")
    elif get_origin(hint) is Mapping:
        for key, item in value.items():
            yield from faults(get_args(hint)[0], key, recipe, (*path, key))
            yield from faults(get_args(hint)[1], item, recipe, (*path, key))
    else:
        known = typing.get_type_hints(hint, include_extras=True)
        for key in known:
            if key in hint.__required_keys__ and key not in value:
                yield Fault(path, value, f"{key} is missing", f"{key} = ...", "add it")
        for key, item in value.items():
            if key not in known:
                yield Fault((*path, key), key, f"unknown key {key}", f"one of {', '.join(known)}", nearest(key, known))
            else:
                yield from faults(known[key], item, recipe, (*path, key))


def is_a(value: Any, kind: type) -> bool:
    """Whether a value is of a plain type; a whole number is a number, true is none, and what is not finite is none.

    >>> is_a(3, float), is_a(True, int), is_a(float("nan"), float)
    (True, False, False)
    """
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
