"""Values to settings objects; what does not fit becomes one sentence of ours, never the validator's own words."""

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from glassloom.config.fields import LISTS, describe
from glassloom.errors import SettingError, nearest, notice

SEE_ALL = "see all settings with `glassloom train --help`"


def checked(settings: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """The settings object, or a SettingError with one sentence about the first value that does not fit.

    A list of numbers may be given as a flag has it: `128,256`.
    """
    try:
        return settings.model_validate({name: value_read(settings, name, value) for name, value in values.items()})
    except ValidationError as error:
        raise setting_error(settings, error.errors()[0], shown=as_given) from None


def value_read(settings: type[BaseModel], name: str, value: Any) -> Any:
    """A list of numbers that was written as text, taken apart; every other value as it is."""
    if not isinstance(value, str) or name not in settings.model_fields:
        return value
    return value.split(",") if describe(settings, name).kind == LISTS[int] else value


def checked_file(settings: type[BaseModel], values: Any) -> Any:
    """The same for values from a file: strict, no text passes for a number.

    A setting that the file lacks (it was written before there was one) takes its default, with a notice.
    """
    try:
        found = settings.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        fault = setting_error(settings, error.errors()[0], shown=json.dumps)
        raise SettingError(
            f"The saved settings are damaged: {fault.what[0].lower()}{fault.what[1:]}",
            fault.expected,
            fault.fix if fault.fix.startswith("did") else "use the config.json that was written with the run",
        ) from None
    if lacking := [name for name in settings.model_fields if name not in values]:
        notice(f"The saved settings lack {', '.join(lacking)}; the default was taken.")
    return found


def as_given(value: Any) -> str:
    """A value as it was typed; quoted where it could not be seen otherwise."""
    return value if isinstance(value, str) and value.strip() and value.isprintable() else repr(value)


def setting_error(settings: type[BaseModel], first: ErrorDetails, shown: Any) -> SettingError:
    """The validator's first complaint, as what happened, what was expected, what to do.

    A validator of ours may say what to do after a semicolon.
    """
    if not first["loc"]:
        if first["type"] == "value_error":
            what, _, fix = own_words(first).partition("; ")
            return SettingError(what[0].upper() + what[1:], fix=fix)
        return SettingError(f"The settings cannot be {shown(first['input'])[:60]}", "names and values")
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return SettingError(f"There is no setting {name}", fix=nearest_setting(name, settings.model_fields))
    setting = describe(settings, name)
    what = f"{name} cannot be {shown(first['input'])}"
    if first["type"] == "value_error":
        expected, _, fix = own_words(first).partition("; ")
        return SettingError(what, expected, fix or f"give {setting.flag} another value")
    if setting.choices:
        return SettingError(what, setting.kind, nearest(str(first["input"]), setting.choices))
    kind = setting.kind.replace("a number", "a finite number" if first["type"] == "finite_number" else "a number")
    expected = f"{kind} that is {setting.bounds}" if setting.bounds else kind
    return SettingError(what, expected, f"give {setting.flag} another value")


def own_words(first: ErrorDetails) -> str:
    """What a validator of ours said."""
    return str(first["ctx"]["error"])


def nearest_setting(name: str, known: Iterable[str]) -> str:
    """The known setting nearest to a misspelt one; where none is near, where all of them are listed."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else SEE_ALL
