"""What a search may choose from: any setting, in a range or among values, each held to its own field's type and bounds.

>>> parse_space("lr=1e-3..1e-2:log", "gru")
Dimension(name='lr', low=0.001, high=0.01, log=True, step=None, choices=())
>>> parse_space("norm=pre,post", "transformer").choices
('pre', 'post')
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from glassloom.config import BUDGETS, Config, Setting, checked, describe, plain_name
from glassloom.config.fields import KINDS, LISTS
from glassloom.config.gather import split_by_section
from glassloom.config.training import TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.errors import SettingError
from glassloom.models import settings_of

KEPT = {
    "model": ("a search has one architecture", "name it with --model, and search each by itself"),
    "seed": ("it would choose the luckiest start, not a setting", "drop it"),
    **dict.fromkeys(BUDGETS, ("all trials have the same budget", "give it by its own flag")),
    **dict.fromkeys(
        ("evaluations", "eval_every", "eval_tokens", "eval_protocol", "patience"),
        ("all trials are judged alike", "drop it, or fix it by its own flag"),
    ),
    **dict.fromkeys(
        ("split", "lowercase", "normalize", "first_characters", "encoding", "sequences", "marks", "samples",
         "language_seed", "skip_unknown"),
        ("it changes the text that trials are scored on", "drop it, or fix it by its own flag"),
    ),
}  # fmt: skip
"""Settings that no search may choose: why, and what to do instead."""
FORM = "NAME=LOW..HIGH, NAME=LOW..HIGH:log, NAME=LOW..HIGH:STEP or NAME=VALUE,VALUE"


@dataclass(frozen=True)
class Dimension:
    """One setting that a search chooses: between `low` and `high`, or among `choices`."""

    name: str
    low: float | int | None = None
    high: float | int | None = None
    log: bool = False
    step: int | None = None
    choices: tuple[Any, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it is a range of whole numbers."""
        return isinstance(self.low, int)

    def holds(self, value: Any) -> bool:
        """Whether a value could be chosen."""
        if self.choices:
            return value in self.choices
        if not isinstance(value, (int, float)) or self.low is None or self.high is None:
            return False
        on_a_step = not self.step or (value - self.low) % self.step == 0
        return self.low <= value <= self.high and on_a_step

    def trained(self, value: Any) -> Any:
        """The value that a run is given: of a range of numbers four digits, which a command can repeat.

        >>> Dimension("lr", 0.001, 0.01, log=True).trained(0.00312345)
        0.003123
        """
        if self.choices or self.whole or not isinstance(value, float):
            return value
        return min(max(float(f"{value:.4g}"), float(self.low or 0)), float(self.high or 0))

    def __str__(self) -> str:
        if self.choices:
            return f"{self.name}={','.join(written(value) for value in self.choices)}"
        end = ":log" if self.log else f":{self.step}" if self.step else ""
        return f"{self.name}={written(self.low)}..{written(self.high)}{end}"


def written(value: Any) -> str:
    """A value as it is typed.

    >>> written(True), written(None), written(0.004), written("pre")
    ('true', 'none', '0.004', 'pre')
    """
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def default_space(model: str, fixed: Iterable[str] = ()) -> list[Dimension]:
    """What is searched where nothing is named: the architecture's own list (`spaces.toml`), less what is fixed."""
    settings_of(model)
    listed = tomllib.loads(resources.files("glassloom.tuning").joinpath("spaces.toml").read_text(encoding="utf-8"))
    fixed = set(fixed)
    if fixed & {"sequence_length", "context"}:
        fixed |= {"sequence_length", "context"}  # a step is as long as the context
    if "widths" in fixed:
        fixed |= {"width", "layers"}
    return [parse_space(f"{name}={text}", model) for name, text in listed[model].items() if name not in fixed]


def space_of(texts: Iterable[str], model: str, fixed: Mapping[str, Any]) -> list[Dimension]:
    """The dimensions that `--space` names, or the architecture's own list where it names none.

    Raises:
        SettingError: a setting is unknown, cannot be searched, is given twice, or a value does not fit its field; or
            nothing is left to search.
    """
    found = [parse_space(text, model) for text in texts]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1 or name in fixed:
            raise SettingError(
                f"{name} is {'searched twice' if name not in fixed else 'both fixed and searched'}",
                "each setting once",
                "give it by --space or by its own flag",
            )
    found = found or default_space(model, fixed)
    if not found:
        raise SettingError("Nothing is left to search", FORM, "fix fewer settings, or name one with --space")
    return found


def parse_space(text: str, model: str) -> Dimension:
    """One `--space`, checked against the setting's own field.

    Raises:
        SettingError: see `space_of`.
    """
    name, sign, values = text.partition("=")
    name = plain_name(name.strip().lstrip("-"))
    values = values.strip()
    if not sign or not name or not values:
        raise SettingError(f"{text!r} is no space to search", FORM, "for example --space lr=1e-4..1e-2:log")
    if name in KEPT:
        why, fix = KEPT[name]
        raise SettingError(f"{name} cannot be searched: {why}", "another setting", fix)
    found, single = field_of(name, model)
    if ".." in values:
        return ranged(name, values, found, single)
    if found.kind in LISTS.values():
        raise SettingError(
            f"{name} is a list, whose commas cannot be told from those between values",
            "a setting of one value",
            "search width and layers instead" if name == "widths" else "search another setting",
        )
    choices = tuple(dict.fromkeys(value_of(name, part.strip(), single) for part in values.split(",") if part.strip()))
    if len(choices) < 2:
        raise SettingError(f"{text!r} leaves nothing to choose", FORM, f"fix it by --{name.replace('_', '-')} instead")
    return Dimension(name, choices=choices)


def ranged(name: str, text: str, found: Setting, single: type[BaseModel]) -> Dimension:
    """`1e-3..1e-2:log` or `64..512:64` as a dimension."""
    span, _, how = text.partition(":")
    ends = [value_of(name, part.strip(), single) for part in span.split("..", 1)]
    numeric = {KINDS[int]: int, KINDS[float]: float}.get(found.kind)
    if numeric is None or not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends):
        raise SettingError(f"{name} has no range: it is {found.kind}", "values, separated by commas", f"{name}=A,B")
    low, high = (numeric(end) for end in ends)
    if low >= high:
        raise SettingError(f"{name} goes from {written(low)} to {written(high)}", "a low and a higher end", "swap them")
    if how == "log" and low <= 0:
        raise SettingError(
            f"{name} begins at {written(low)}, which has no logarithm", "a low end above 0", "raise it, or drop :log"
        )
    if how in ("", "log"):
        return Dimension(name, low, high, log=how == "log")
    if numeric is not int or not how.isdigit() or int(how) < 1:
        raise SettingError(
            f"{how!r} is no scale for {name}", "log, or for whole numbers a step", f"{name}=LOW..HIGH:log"
        )
    step = int(how)
    if high - low < step:
        raise SettingError(f"{name} has no step of {step} between {low} and {high}", "a smaller step", "lower it")
    return Dimension(name, low, low + (high - low) // step * step, step=step)


def field_of(name: str, model: str) -> tuple[Setting, type[BaseModel]]:
    """The setting, and a class that checks nothing but its field: what must fit together is seen when a trial begins.

    Raises:
        SettingError: the architecture has no such setting.
    """
    section = next(part for part, values in split_by_section({name: None}, model).items() if values)
    homes: dict[str, type[BaseModel]] = {"data": DataSettings, "model": settings_of(model), "train": TrainSettings}
    home = homes[section]
    field = home.model_fields[name]
    strict = ConfigDict(extra="forbid", allow_inf_nan=False)
    single = create_model(home.__name__, __config__=strict, **{name: (field.annotation, field)})  # type: ignore[call-overload]
    return describe(home, name, section), single


def value_of(name: str, text: str, single: type[BaseModel]) -> Any:
    """A value as the setting's field reads it; `none` unsets.

    Raises:
        SettingError: it does not fit.
    """
    value = getattr(checked(single, {name: None if text.lower() == "none" else text}), name)
    if name in DataSettings.model_fields:
        checked(DataSettings, {name: value})
    elif name in TrainSettings.model_fields:
        checked(TrainSettings, {name: value})
    return value


def ends(one: Dimension) -> list[Any]:
    """A dimension's first and last value."""
    return [one.choices[0], one.choices[-1]] if one.choices else [one.low, one.high]


def fitting(model: str, given: Mapping[str, Any], space: Sequence[Dimension]) -> Config:
    """A configuration that the space allows: the defaults, or where these do not go together the ends of its ranges.

    Raises:
        SettingError: what is fixed does not go with anything in the space.
    """
    first: SettingError | None = None
    tried: list[dict[str, Any]] = [{}, *({one.name: ends(one)[end] for one in space} for end in (0, -1))]
    tried += [{one.name: value} for one in space for value in one.choices]
    for chosen in tried:
        try:
            return Config.from_flat({"model": model, **given, **chosen})
        except SettingError as error:
            first = first or error
    assert first is not None
    raise first


def defaults(space: Iterable[Dimension], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """What would be trained without a search, where all of it lies in the space; None otherwise."""
    try:
        usual = Config.from_flat(given).flat()
    except SettingError:  # what is fixed does not go with the defaults of what is searched
        return None
    found = {one.name: usual[one.name] for one in space}
    return found if all(one.holds(found[one.name]) for one in space) else None
