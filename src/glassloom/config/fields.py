"""Settings as shown to people: name, kind, bounds, help and defaults, all read from the field that defines them."""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from glassloom.config.training import TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.models import ARCHITECTURES, settings_of

SECTIONS = ("data", "model", "train")

KINDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
LISTS = {int: "whole numbers, separated by commas", str: "one or more texts"}


@dataclass(frozen=True)
class Setting:
    """One setting: where it belongs, what it is called, what it may be."""

    section: str
    name: str
    kind: str
    default: Any
    bounds: str
    unit: str
    help: str
    choices: tuple[str, ...] = ()
    by_architecture: Mapping[str, "Setting"] = field(default_factory=dict)
    """The setting as each architecture has it, for those that have it: a model's own, or another default."""

    @property
    def is_switch(self) -> bool:
        return self.kind == KINDS[bool]

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


def describe(settings: type[BaseModel], name: str, section: str = "") -> Setting:
    """One field as a Setting.

    >>> describe(TrainSettings, "ema").bounds
    'above 0 and below 1'
    """
    found = settings.model_fields[name]
    extra = found.json_schema_extra if isinstance(found.json_schema_extra, dict) else {}
    return Setting(
        section,
        name,
        kind(found.annotation),
        None if found.is_required() else found.get_default(call_default_factory=True),
        bounds(found),
        str(extra.get("unit", "")),
        found.description or "",
        literals(found.annotation),
    )


def literals(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, as strings; empty for other types."""
    return tuple(str(value) for value in get_args(annotation)) if get_origin(annotation) is Literal else ()


def kind(annotation: Any) -> str:
    """A type in words: `a whole number`, `text`, `one of rnn, gru`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(kind(part) for part in arguments if part is not type(None))
    if origin is Annotated:
        return kind(arguments[0])
    if origin in (tuple, list):
        inner = get_args(arguments[0])[0] if get_origin(arguments[0]) is Annotated else arguments[0]
        return LISTS[inner]
    if origin is Literal:
        return "one of " + ", ".join(literals(annotation))
    return KINDS[annotation]


def bounds(found: FieldInfo) -> str:
    """A field's bounds in words: `at least 1`, `above 0 and below 1`."""
    words = []
    for limit in found.metadata:
        match limit:
            case Ge(ge=value):
                words.append(f"at least {value}")
            case Gt(gt=value):
                words.append(f"above {value}")
            case Le(le=value):
                words.append(f"at most {number(value)}")
            case Lt(lt=value):
                words.append(f"below {number(value)}")
    return " and ".join(words)


def number(value: Any) -> str:
    """A bound as people read it: 10,000,000, but 2^62 rather than its nineteen digits."""
    if isinstance(value, int) and value >= 2**31 and value.bit_count() == 1:
        return f"2^{value.bit_length() - 1}"
    return f"{value:,}"


TAKEN = {
    *(
        "command",
        "corpus",
        "cpus",
        "debug",
        "dry_run",
        "fast",
        "from",
        "from_",
        "gpus",
        "help",
        "jobs",
        "json",
        "match",
        "max_restarts",
    ),
    *(
        "model",
        "models",
        "name",
        "on",
        "out",
        "replace",
        "resume",
        "runs",
        "seeds",
        "shard",
        "start_from",
        "tensorboard",
    ),
    *("trials", "vary", "version", "workers"),
}
"""What commands that take settings call their own options."""


def leave_out_unfit() -> None:
    """Leave out, with a notice, an architecture of another package whose settings cannot be flags beside the others."""
    for name in ARCHITECTURES.added:
        for setting in settings_of(name).model_fields:
            if setting in TAKEN or setting in DataSettings.model_fields or setting in TrainSettings.model_fields:
                ARCHITECTURES.leave_out(name, f"its setting {setting} is called like one of text or training")
                break
            try:
                made = describe(settings_of(name), setting, "model")
            except (KeyError, TypeError):
                ARCHITECTURES.leave_out(name, f"its setting {setting} is of a type that a flag cannot have")
                break
            others = [settings_of(each) for each in ARCHITECTURES.own if setting in settings_of(each).model_fields]
            if others and describe(others[0], setting).is_switch != made.is_switch:
                ARCHITECTURES.leave_out(
                    name, f"its setting {setting} is a switch in one architecture and none in another"
                )
                break


def all_settings() -> Iterator[Setting]:
    """Every setting there is, each name once: of the text, of every architecture, of training."""
    for name in DataSettings.model_fields:
        yield describe(DataSettings, name, "data")
    leave_out_unfit()
    own = {each: settings_of(each) for each in ARCHITECTURES}
    for name in dict.fromkeys(name for settings in own.values() for name in settings.model_fields):
        variants = {each: describe(own[each], name, "model") for each in own if name in own[each].model_fields}
        yield replace(next(iter(variants.values())), by_architecture=variants)
    for name in TrainSettings.model_fields:
        common = describe(TrainSettings, name, "train")
        variants = {each: replace(common, default=own[each].training.get(name, common.default)) for each in own}
        yield replace(common, by_architecture=variants)
