"""Flags from the settings themselves: each setting is `--its-name`, and `--section.its-name` in full."""

import dataclasses
from collections.abc import Iterable
from typing import Annotated, Any

from cyclopts import Group, Parameter
from pydantic import BaseModel

from glassloom.config import Setting, all_settings
from glassloom.config.gather import describe
from glassloom.models import ARCHITECTURES

COMMON = Group("Settings most often used", sort_key=10)
GROUPS = {
    "data": Group("The text", sort_key=11),
    "model": Group("The model", sort_key=12),
    "train": Group("Training", sort_key=13),
    "": Group("Decoding", sort_key=11),
}
OFTEN = (
    *("model", "tokenizer", "layers", "width", "embedding", "heads", "context", "dropout"),
    *("sequence_length", "batch_size", "optimizer", "lr", "schedule", "warmup", "clip_norm", "clip_value"),
    *("weight_decay", "ema", "epochs", "steps", "minutes", "train_tokens"),
    *("eval_every", "save_every", "sample_every", "seed", "device", "precision"),
)

JSON = Annotated[bool, Parameter(name="--json", negative=(), help="Print one JSON object, last.")]
DEBUG = Annotated[bool, Parameter(name="--debug", negative=(), help="Show a traceback for an error.")]
RUNS = Annotated[str, Parameter(name="--runs", help="The folder of runs.")]


def settings_class(settings: Iterable[Setting], name: str) -> type:
    """A dataclass of optional fields that cyclopts turns into flags; None means not given."""
    fields = []
    for one in settings:
        hyphened = one.name.replace("_", "-")
        names = [f"--{hyphened}"] + ([f"--{one.section}.{hyphened}"] if one.section else [])
        group = COMMON if one.name in OFTEN and one.section else GROUPS[one.section]
        parameter = Parameter(name=names, help=help_of(one), group=group, show_default=False, show_choices=False)
        kind = bool if one.is_switch else str
        if one.is_switch:
            parameter = Parameter.combine(parameter, Parameter(negative=f"--no-{hyphened}"))
        fields.append((one.name, Annotated[kind | None, parameter], dataclasses.field(default=None)))
    made = dataclasses.make_dataclass(name, fields)
    made.__module__ = __name__  # cyclopts takes classes of the module `types` for built-in ones
    return made


def help_of(one: Setting) -> str:
    """One setting's help: what it does, what it may be, what it is if not given."""
    allowed = one.kind if one.choices else one.bounds
    parts = [one.help.rstrip("."), f"({allowed})" if allowed and one.choices != ARCHITECTURES else ""]
    default = "" if one.default in (None, "") else f"[{str(one.default).lower() if one.is_switch else one.default}]"
    return " ".join(part for part in (*parts, default) if part)


def given(flags: Any) -> dict[str, Any]:
    """The settings that were given, by name."""
    if flags is None:
        return {}
    values = {field.name: getattr(flags, field.name) for field in dataclasses.fields(flags)}
    return {name: parsed(value) for name, value in values.items() if value is not None}


def parsed(value: Any) -> Any:
    """`none` unsets; everything else is left to the settings themselves to read."""
    return None if isinstance(value, str) and value.lower() == "none" else value


def all_flags() -> type:
    """The flags of every setting there is."""
    model = Setting(
        "model", "model", "text", "gru", "", "", f"The architecture: {', '.join(ARCHITECTURES)}.", tuple(ARCHITECTURES)
    )
    model_flag = dataclasses.replace(model, kind="", choices=())
    return settings_class([model_flag, *all_settings()], "Settings")


def flags_of(settings: type[BaseModel], name: str) -> type:
    """The flags of one settings class alone."""
    return settings_class([describe(settings, field) for field in settings.model_fields], name)
