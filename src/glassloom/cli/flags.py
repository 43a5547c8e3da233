"""Flags from the settings themselves: each setting is `--its-name`, or `--section.its-name` in full."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Any

from cyclopts import Group, Parameter
from pydantic import BaseModel

from glassloom.config import SECTIONS, Setting, all_settings, describe
from glassloom.config.fields import KINDS, LISTS
from glassloom.models import ARCHITECTURES

COMMON = Group("Settings most often used", sort_key=10)
GROUPS = {
    "data": Group("More about the text", sort_key=11),
    "model": Group("More about the model", sort_key=12),
    "train": Group("More about training", sort_key=13),
    "": Group("How tokens are chosen", sort_key=11),
}
OFTEN = (
    *("model", "layers", "width", "embedding", "heads", "context", "dropout", "tokenizer"),
    *("epochs", "steps", "minutes", "train_tokens", "batch_size", "sequence_length"),
    *("optimizer", "lr", "schedule", "warmup", "clip_norm", "clip_value", "weight_decay", "ema"),
    *("eval_every", "save_every", "sample_every", "seed", "device", "precision"),
)
METAVARS = {KINDS[int]: "N", KINDS[float]: "X", KINDS[str]: "TEXT", LISTS[int]: "N,N", LISTS[str]: "TEXT"}


def settings_class(settings: Iterable[Setting], name: str) -> type:
    """A dataclass of optional fields that cyclopts turns into flags; None means not given."""
    fields = []
    for one in sorted(settings, key=lambda one: OFTEN.index(one.name) if one.section and one.name in OFTEN else 99):
        parameter = Parameter(
            name=one.flag,
            help=help_of(one),
            group=COMMON if one.section and one.name in OFTEN else GROUPS[one.section],
            negative=f"--no-{one.flag[2:]}" if one.is_switch else (),
            metavar=METAVARS.get(one.kind, "NAME"),
            show_default=False,
            show_choices=False,
            allow_leading_hyphen=one.kind == KINDS[str],
        )
        kind: Any = bool if one.is_switch else list[str] if one.kind == LISTS[str] else str
        fields.append((one.name, Annotated[kind | None, parameter], dataclasses.field(default=None)))
    made = dataclasses.make_dataclass(name, fields)
    made.__module__ = __name__  # cyclopts takes classes of the module `types` for built-in ones
    return made


def help_of(one: Setting) -> str:
    """One setting's help: what it does, what it may be and what it is if not given, where need be by architecture."""
    variants = one.by_architecture or {"": one}
    texts: dict[str, list[str]] = {}
    for name, variant in variants.items():
        texts.setdefault(meaning(variant), []).append(name)
    whole = len(texts) == 1 and len(variants) in (1 if "" in variants else 0, len(ARCHITECTURES))
    parts = []
    for text, names in texts.items():
        about = "" if whole else ", ".join(names) + ": "
        parts.append(about + text + defaults({name: variants[name] for name in names}))
    return "; ".join(parts)


def meaning(one: Setting) -> str:
    """What a setting does, and what it may be."""
    allowed = one.kind if one.choices else one.bounds
    return one.help.rstrip(".") + (f" ({allowed})" if allowed else "")


def defaults(variants: dict[str, Setting]) -> str:
    """` [gru]`, or where architectures differ ` [32; transformer 12]`; nothing where there is none."""
    shown = {name: default_of(variant) for name, variant in variants.items()}
    ((usual, often),) = Counter(shown.values()).most_common(1)
    if often == 1 and len(shown) > 1:
        return f" [{', '.join(f'{name} {value}' for name, value in shown.items())}]"
    others = [f"{name} {value or 'none'}" for name, value in shown.items() if value != usual]
    if not usual and not others:
        return ""
    return f" [{'; '.join([usual or 'none', *others])}]"


def default_of(one: Setting) -> str:
    """A default as it would be typed."""
    if one.default in (None, "", ()):
        return ""
    return (
        str(one.default).lower()
        if one.is_switch
        else f"{one.default:g}"
        if isinstance(one.default, float)
        else str(one.default)
    )


def given(flags: Any) -> dict[str, Any]:
    """The settings that were given, by name."""
    values = {field.name: getattr(flags, field.name) for field in dataclasses.fields(flags)}
    return {name: parsed(value) for name, value in values.items() if value is not None}


def parsed(value: Any) -> Any:
    """`none` unsets; everything else is left to the settings themselves to read."""
    return None if isinstance(value, str) and value.lower() == "none" else value


def all_flags(*without: str) -> type:
    """The flags of every setting there is."""
    names = tuple(ARCHITECTURES)
    model = Setting("model", "model", f"one of {', '.join(names)}", "gru", "", "", "The architecture.", names)
    return settings_class([one for one in (model, *all_settings()) if one.name not in without], "Settings")


def flags_of(settings: type[BaseModel], section: str = "") -> type:
    """The flags of one settings class alone."""
    return settings_class([describe(settings, name, section) for name in settings.model_fields], settings.__name__)


FULL_NAME = re.compile(
    rf"--(?P<no>no-)?(?P<section>{'|'.join(SECTIONS)})\.(?P<name>[a-z0-9_-]+)(?P<rest>=.*)?", re.DOTALL
)


def short_names(arguments: list[str]) -> list[str]:
    """The arguments with full names of settings (`--train.lr`) made short (`--lr`), where the section is theirs."""
    if not any(FULL_NAME.fullmatch(argument) for argument in arguments):
        return arguments
    homes = {one.name: one.section for one in all_settings()} | {"model": "model"}
    shortened = []
    for argument in arguments:
        found = FULL_NAME.fullmatch(argument)
        if found and homes.get(found["name"].replace("-", "_")) == found["section"]:
            argument = f"--{found['no'] or ''}{found['name'].replace('_', '-')}{found['rest'] or ''}"
        shortened.append(argument)
    return shortened
