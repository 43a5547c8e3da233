"""Gather the settings classes into one configuration; flags, docs and `config.json` derive from the same fields.

section   from                                  example
data      glassloom.data.settings               --lowercase      or --data.lowercase
model     the architecture's own file           --layers 2       or --model.layers 2
train     glassloom.config.training             --lr 1e-3        or --train.lr 1e-3
"""

import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from glassloom.config.training import BUDGETS, TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.errors import SettingError, nearest
from glassloom.models import ARCHITECTURES, architecture

if TYPE_CHECKING:
    from glassloom.models.contract import ModelSettings

SECTIONS = ("data", "model", "train")


@dataclass(frozen=True)
class Setting:
    """One setting as shown to people: where it belongs, what it is called, what it may be."""

    section: str
    name: str
    kind: str
    default: Any
    bounds: str
    unit: str
    help: str
    choices: tuple[str, ...] = ()

    @property
    def is_switch(self) -> bool:
        return self.kind == "bool"


@dataclass(frozen=True)
class Config:
    """One run's settings, all of them: text, architecture by name with its own settings, training.

    >>> Config.from_flat({"model": "gru", "width": 64}).model.width
    64
    """

    data: DataSettings
    architecture: str
    model: "ModelSettings"
    train: TrainSettings

    @classmethod
    def from_flat(cls, given: Mapping[str, Any]) -> "Config":
        """From plain names (`width`, or `model.width` in full) to a checked configuration.

        What is not given takes the architecture's own default for training, then the setting's.

        Raises:
            SettingError: an unknown name (the nearest is offered), a value out of bounds, two budgets.
        """
        given = dict(given)
        name = given.pop("model", "gru")
        model_class = architecture(name)
        sections = split_by_section(given, name)
        budgets = [budget for budget in BUDGETS if sections["train"].get(budget) is not None]
        if len(budgets) > 1:
            raise SettingError(
                f"Training was given {len(budgets)} budgets ({', '.join(budgets)})", "one of them", "drop the others"
            )
        own = model_class.Settings
        return cls(
            checked(DataSettings, sections["data"]),
            name,
            checked(own, sections["model"]),
            checked(TrainSettings, {**own.training, **sections["train"]}),
        )

    def as_dict(self) -> dict[str, Any]:
        """What `config.json` holds."""
        return {
            "data": self.data.model_dump(mode="json"),
            "model": {"name": self.architecture, **self.model.model_dump(mode="json")},
            "train": self.train.model_dump(mode="json"),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Config":
        """The inverse of `as_dict`; strict: nothing is filled in, nothing unknown passes."""
        if set(saved) != set(SECTIONS):
            raise SettingError(f"The saved settings hold {', '.join(map(str, saved))}", ", ".join(SECTIONS))
        model = dict(saved["model"])
        name = model.pop("name", None)
        own = architecture(name).Settings
        data, train = checked_file(DataSettings, saved["data"]), checked_file(TrainSettings, saved["train"])
        return cls(data, name, checked_file(own, model), train)

    def flat(self) -> dict[str, Any]:
        """Every setting by its plain name, the architecture as `model`."""
        sections = (self.data, self.model, self.train)
        return {"model": self.architecture} | {k: v for part in sections for k, v in part.model_dump().items()}

    def with_train(self, **changes: Any) -> "Config":
        """The same configuration with some settings of training changed."""
        train = checked(TrainSettings, {**self.train.model_dump(), **changes})
        return Config(self.data, self.architecture, self.model, train)

    def with_data(self, **changes: Any) -> "Config":
        """The same configuration with some settings of the text changed."""
        data = checked(DataSettings, {**self.data.model_dump(), **changes})
        return Config(data, self.architecture, self.model, self.train)


def split_by_section(given: Mapping[str, Any], name: str) -> dict[str, dict[str, Any]]:
    """Sort plain or full names into sections, refusing unknown ones by the nearest known."""
    classes: dict[str, type[BaseModel]] = {
        "data": DataSettings,
        "model": architecture(name).Settings,
        "train": TrainSettings,
    }
    sections: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for key, value in given.items():
        section, _, field = key.rpartition(".")
        field = field.replace("-", "_")
        homes = [s for s in SECTIONS if section in ("", s) and field in classes[s].model_fields]
        if not homes:
            raise unknown_setting(key, name, classes)
        sections[homes[0]][field] = value
    return sections


def unknown_setting(key: str, name: str, classes: Mapping[str, type[BaseModel]]) -> SettingError:
    """The error for a name that no section knows, or that belongs to another architecture."""
    field = key.rpartition(".")[2].replace("-", "_")
    others = [a for a in ARCHITECTURES if field in architecture(a).Settings.model_fields]
    if others:
        return SettingError(
            f"{name} has no setting {field}; {', '.join(others)} has", "", f"drop it, or choose --model {others[0]}"
        )
    known = [f for c in classes.values() for f in c.model_fields] + ["model"]
    return SettingError(f"There is no setting {key}", "", nearest(field, known))


def checked(settings: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """The settings object, or a SettingError with one sentence about the first value that does not fit.

    A list may be given as a flag has it: `128,256`.
    """
    read = {
        name: value.split(",") if isinstance(value, str) and is_list(settings, name) else value
        for name, value in values.items()
    }
    try:
        return settings.model_validate(read)
    except ValidationError as error:
        raise setting_error(settings, error) from None


def checked_file(settings: type[BaseModel], values: Mapping[str, Any]) -> Any:
    """The same for values from a file: strict, no text passes for a number."""
    try:
        return settings.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        raise setting_error(settings, error) from None


def is_list(settings: type[BaseModel], name: str) -> bool:
    """Whether a field holds a list."""
    field = settings.model_fields.get(name)
    return field is not None and kind(field.annotation).startswith("list")


def setting_error(settings: type[BaseModel], error: ValidationError) -> SettingError:
    """Pydantic's first complaint, as what happened, what was expected, what to do."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        return SettingError(f"There is no setting {name}", "", nearest(name, settings.model_fields))
    if not name:
        return SettingError(first["msg"].removeprefix("Value error, "))
    shown = describe(settings, name)
    value = first["input"]
    fix = nearest(str(value), shown.choices) if shown.choices else f"change {name.replace('_', '-')}"
    if first["type"] == "value_error":
        return SettingError(f"{name} cannot be {value!r}: {first['msg'].removeprefix('Value error, ')}", fix=fix)
    return SettingError(f"{name} cannot be {value!r}", shown.kind + (f", {shown.bounds}" if shown.bounds else ""), fix)


def describe(settings: type[BaseModel], name: str, section: str = "") -> Setting:
    """One field as a Setting."""
    field = settings.model_fields[name]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    choices = literals(field.annotation)
    return Setting(
        section,
        name,
        "one of " + ", ".join(choices) if choices else kind(field.annotation),
        field.get_default(call_default_factory=True) if not field.is_required() else None,
        bounds(field),
        str(extra.get("unit", "")),
        field.description or "",
        choices,
    )


def literals(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, as strings; empty for other types."""
    if get_origin(annotation) is Literal:
        return tuple(str(value) for value in get_args(annotation))
    return ()


def kind(annotation: Any) -> str:
    """A type in words: `int`, `float`, `str`, `bool`, `list of int`."""
    if get_origin(annotation) in (types.UnionType, typing.Union):
        return " or ".join(kind(part) for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) in (tuple, list):
        return f"list of {kind(get_args(annotation)[0])}"
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(literals(annotation))
    return {int: "a whole number", float: "a number", str: "text"}.get(annotation, getattr(annotation, "__name__", ""))


def bounds(field: FieldInfo) -> str:
    """A field's bounds in words: `at least 1`, `above 0, below 1`."""
    words = []
    for limit in field.metadata:
        match limit:
            case Ge(ge=value):
                words.append(f"at least {value}")
            case Gt(gt=value):
                words.append(f"above {value}")
            case Le(le=value):
                words.append(f"at most {value}")
            case Lt(lt=value):
                words.append(f"below {value}")
    return ", ".join(words)


def all_settings(architectures: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every setting there is, each name once; those of the named architectures, or of all."""
    seen: set[str] = set()
    classes: list[tuple[str, type[BaseModel]]] = [("data", DataSettings)]
    classes += [("model", architecture(name).Settings) for name in architectures or tuple(ARCHITECTURES)]
    classes += [("train", TrainSettings)]
    for section, settings in classes:
        for name in settings.model_fields:
            if name not in seen:
                seen.add(name)
                yield describe(settings, name, section)
