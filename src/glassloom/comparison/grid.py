"""Which runs a comparison consists of: models times varied settings times seeds, each with an id of its own."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glassloom.config import BUDGETS, Config, plain_name
from glassloom.errors import SettingError, nearest
from glassloom.models import ARCHITECTURES, build, settings_of
from glassloom.models.summary import parameter_count

MATCHED = ("parameters",)


@dataclass(frozen=True)
class Planned:
    """One run to be made: its id, the setting it shares with its other seeds, and what to give `train`."""

    id: str
    setting: str
    given: dict[str, Any]


def grid(
    models: Sequence[str],
    given: Mapping[str, Any],
    vary: Sequence[str] = (),
    seeds: int = 1,
) -> list[Planned]:
    """Every combination, in the order of the models, the varied values, the seeds.

    A setting that only some of the architectures have goes to those.

    Raises:
        SettingError: an unknown model or setting, a setting that none of the models has, something varied twice.
    """
    for model in models:
        settings_of(model)
    if len(set(models)) != len(models) or not models:
        named = ", ".join(models) or "(none)"
        raise SettingError(f"The models {named} cannot be compared", "different models", "name each model once")
    axes = dict(parse_vary(text) for text in vary)
    twice = [name for name in axes if name in given] or [text for text in vary if vary.count(text) > 1] or list(axes)
    if len(axes) != len(vary) or set(axes) & set(given):
        raise SettingError(f"{twice[0]} is given twice", "each setting once", "give it by --vary or by its own flag")
    if "model" in axes or "seed" in axes:
        raise SettingError("model and seed cannot be varied with --vary", "", "use --models and --seeds")
    check_known([*given, *axes], models)
    planned = []
    for model in models:
        mine = {name: values for name, values in axes.items() if belongs(name, model)}
        base = {"model": model, **{name: value for name, value in given.items() if belongs(name, model)}}
        for values in itertools.product(*mine.values()):
            chosen = dict(zip(mine, values, strict=True))
            setting = "-".join([model, *(f"{name}{value}" for name, value in chosen.items())])
            first = int(given.get("seed", 0))
            for seed in range(first, first + seeds):
                name = f"{setting}-seed{seed}" if seeds > 1 else setting
                planned.append(Planned(clean(name), setting, {**base, **chosen, "seed": seed}))
                Config.from_flat(planned[-1].given)  # whatever does not fit is said before anything is trained
    return planned


def parse_vary(text: str) -> tuple[str, list[str]]:
    """`lr=1e-4,1e-3` as the name and its values.

    >>> parse_vary("lr=1e-4,1e-3")
    ('lr', ['1e-4', '1e-3'])
    """
    name, sign, values = text.partition("=")
    found = [value.strip() for value in values.split(",") if value.strip()]
    if not sign or not found or not name.strip():
        raise SettingError(f"{text!r} cannot be varied", "NAME=VALUE,VALUE", "for example --vary lr=1e-4,1e-3")
    return plain_name(name.strip().lstrip("-")), found


def clean(name: str) -> str:
    """An id that can be a run's name."""
    return "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "_" for c in name)[:64]


def belongs(name: str, model: str) -> bool:
    """Whether an architecture takes this setting (those of text and training belong to all)."""
    anywhere = any(name in settings_of(other).model_fields for other in ARCHITECTURES)
    return not anywhere or name in settings_of(model).model_fields


def check_known(names: Sequence[str], models: Sequence[str]) -> None:
    """Every setting must belong to at least one of the models."""
    for name in names:
        if not any(belongs(name, model) for model in models):
            owners = [each for each in ARCHITECTURES if name in settings_of(each).model_fields]
            raise SettingError(
                f"{name} is a setting of {', '.join(owners)}, and none of them is compared",
                f"settings of {', '.join(models)}",
                f"drop it, or add {owners[0]} to --models",
            )


def matched(planned: list[Planned], what: str, vocabulary: int) -> list[Planned]:
    """The same runs with every model's width chosen so that it has as many parameters as the first one.

    Raises:
        SettingError: `what` is not something that can be matched, or width is set or varied.
    """
    if what not in MATCHED:
        raise SettingError(f"{what!r} cannot be matched", ", ".join(MATCHED), nearest(what, MATCHED))
    if any("width" in plan.given for plan in planned[1:]):
        raise SettingError("width is given, and --match parameters chooses it", "one of the two", "drop --width")
    target = parameters(planned[0].given, vocabulary)
    done = [planned[0]]
    for plan in planned[1:]:
        given = {**plan.given, "width": width_for(plan.given, vocabulary, target)}
        done.append(Planned(plan.id, plan.setting, given))
    return done


def width_for(given: Mapping[str, Any], vocabulary: int, target: int) -> int:
    """The width with which a model comes nearest to so many parameters; a multiple of two for each head."""
    heads = getattr(Config.from_flat(given).model, "heads", None)
    step = 2 * heads if heads else 1
    low, high = 1, 2
    while parameters({**given, "width": high * step}, vocabulary) < target:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if parameters({**given, "width": middle * step}, vocabulary) < target else (low, middle)
        )
    nearer = min((low, high), key=lambda n: abs(parameters({**given, "width": n * step}, vocabulary) - target))
    return nearer * step


def parameters(given: Mapping[str, Any], vocabulary: int) -> int:
    """How many parameters a model of these settings has."""
    return parameter_count(build(Config.from_flat(given).model, vocabulary))


def has_budget(given: Mapping[str, Any]) -> bool:
    """Whether a budget is among the settings."""
    return any(name in BUDGETS for name in given)
