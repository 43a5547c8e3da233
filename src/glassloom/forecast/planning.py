"""Plan: short probes on the text and the machine, the law fitted to them, and what it says about the time there is."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from glassloom.config import Config, plain_names
from glassloom.data.corpus import Corpus
from glassloom.data.settings import DataSettings
from glassloom.errors import SettingError
from glassloom.forecast.law import INSIDE, Fitted, Point, fit, predicted, worth
from glassloom.forecast.probing import Clock, probe, speed
from glassloom.forecast.results import Curve, Forecast, Plan, Probe
from glassloom.models import ARCHITECTURES, settings_of
from glassloom.training.resolve import open_corpus
from glassloom.training.suited import DROPOUT, suited

MINUTES = 30.0
PROBE_SHARE, MOST_PROBE_SECONDS = 0.1, 60.0
"""Probes take this share of the time, and never more than so many seconds."""
LEAST_MINUTES = 0.25
"""With less time there is none to probe in."""
SIZES = {"rnn": (128, 256, 512), "gru": (128, 256, 384, 512), "lstm": (128, 256, 384, 512),
         "transformer": (64, 128, 192, 256)}  # fmt: skip
"""The widths that are weighed; layers are the architecture's own."""
LOSS_SHARE = 0.75
"""Of the time for probes, so much goes into those that train; the rest measures the speed of other sizes."""
LENGTHS, ENOUGH_SECONDS = (0.25, 0.75), 4.0
"""An architecture's share is cut into two trainings, for between them one sees how fast the loss falls; a share of less
than so many seconds is one, for what follows the first updates says more."""
MEASURED_MINUTES = 1.0
"""The length of the trainings at which the error was measured (`benchmarks/plan.py`)."""
BEFORE, BEYOND, MOMENTS = 0.1, 4.0, 25
"""The curves go from a tenth of the time to four times as much, at so many moments."""

OnProbe = Callable[[Probe], None]


def plan(
    corpus: Any,
    *,
    minutes: float = MINUTES,
    models: Sequence[str] = tuple(ARCHITECTURES),
    threads: int | None = None,
    on_probe: OnProbe = lambda probe: None,
    **settings: Any,
) -> Plan:
    """What to train on a text in so many minutes, and the loss it will reach, with an interval.

    Probes train every architecture twice for a moment, at its own defaults, and time the other sizes; a tenth of the
    time, 60 s at most. `settings` are those of the text. Nothing is written.

    >>> plan("novel.txt", minutes=30).command  # doctest: +SKIP

    Raises:
        InputError: a text or a setting that cannot be used.
    """
    if not minutes >= LEAST_MINUTES or math.isinf(minutes):
        raise SettingError(f"minutes cannot be {minutes:g}", f"{LEAST_MINUTES:g} or more", "change --minutes")
    for name in models:
        settings_of(name)
    if not models or len(set(models)) != len(models):
        raise SettingError(f"The models {', '.join(models) or '(none)'} cannot be planned", "different models",
                           "name each once")  # fmt: skip
    given = plain_names(settings)
    if strange := [name for name in given if name not in DataSettings.model_fields]:
        raise SettingError(
            f"plan cannot be told {strange[0]}: its law holds for each architecture's own defaults",
            "settings of the text",
            f"drop {strange[0]}; to weigh settings against each other, use glassloom search",
        )
    text = open_corpus(corpus, Config.from_flat({"model": models[0], **given}))
    clock = Clock(min(MOST_PROBE_SECONDS, PROBE_SHARE * 60 * minutes))
    fixed = {**given, **({"threads": threads} if threads else {})}
    probes = probed(text, models, fixed, clock, on_probe)
    spent = clock.spent
    unique = text.train.tokens
    points = [
        Point(one.model, one.parameters, worth(one.tokens, unique), one.nats) for one in probes if one.nats is not None
    ]
    fitted = fit(points)
    speeds = {(one.model, one.width): one for one in probes}
    forecasts = sorted((forecast(one, fitted, unique, minutes) for one in speeds.values()), key=lambda one: one.nats)
    best = forecasts[0]
    return Plan(
        corpus=text.name, unit=text.tokenizer.name, minutes=minutes, probe_seconds=spent, probes=tuple(probes),
        forecasts=tuple(forecasts),
        curves=tuple(curve(model, probes, fitted, unique, minutes) for model in models),
        floor=max(0.0, fitted.floor), inside=INSIDE,
        command=command_of(corpus if isinstance(corpus, (str, Path)) else text.name, best, minutes, given),
        notes=tuple(notes(forecasts, text, minutes, given)),
    )  # fmt: skip


def probed(
    text: Corpus, models: Sequence[str], given: Mapping[str, Any], clock: Clock, on_probe: OnProbe
) -> list[Probe]:
    """Every architecture trained twice at its usual width, then the other sizes timed as long as there is time.

    A size whose passes alone were timed is as fast as its passes say beside those of the usual size, whose whole steps
    are known.
    """
    found: list[Probe] = []

    def keep(one: Probe) -> None:
        found.append(one)
        on_probe(one)

    usual = {model: int(Config.from_flat({"model": model}).flat()["width"]) for model in models}
    share = LOSS_SHARE * clock.limit / len(models)
    for length in LENGTHS if share >= ENOUGH_SECONDS else (1.0,):
        for model in models:
            keep(probe(text, {**given, "model": model, "width": usual[model]}, share * length))
    whole = {one.model: one.tokens_per_second for one in found}  # of the longer ones
    for model in models:
        _, passes = speed(text, {**given, "model": model, "width": usual[model]})
        for width in SIZES[model]:
            if width == usual[model] or clock.left <= 0:
                continue
            parameters, alone = speed(text, {**given, "model": model, "width": width})
            rate = whole[model] * alone / passes
            keep(Probe(model, width, parameters, 0, 0.0, rate, None))
    return found


def dropout_for(passes: float) -> float:
    """What share of the entries is dropped for so many passes over the text, as trainings without a model take it."""
    return next(share for most, share in DROPOUT if passes < most)


def forecast(one: Probe, fitted: Fitted, unique: int, minutes: float) -> Forecast:
    """What a size will come to in so many minutes."""
    seen = one.tokens_per_second * 60 * minutes
    nats, low, high = predicted(fitted, one.model, one.parameters, worth(seen, unique))
    layers = int(Config.from_flat({"model": one.model}).flat()["layers"])
    usual = int(Config.from_flat({"model": one.model}).flat()["width"])
    dropout = dropout_for(seen / unique)
    settings = {**({"width": one.width} if one.width != usual else {}), **({"dropout": dropout} if dropout else {})}
    return Forecast(
        model=one.model, width=one.width, layers=layers, parameters=one.parameters,
        tokens_per_second=one.tokens_per_second, passes=seen / unique, nats=nats, low=low, high=high, settings=settings,
    )  # fmt: skip


def curve(model: str, probes: Sequence[Probe], fitted: Fitted, unique: int, minutes: float) -> Curve:
    """An architecture's loss over the time given, of its best size at each moment."""
    sizes = list({one.width: one for one in probes if one.model == model}.values())
    moments = [minutes * BEFORE * (BEYOND / BEFORE) ** (place / (MOMENTS - 1)) for place in range(MOMENTS)]
    best = [min((forecast(one, fitted, unique, at) for one in sizes), key=lambda one: one.nats) for at in moments]
    return Curve(
        model, tuple(moments), tuple(one.nats for one in best), tuple(one.low for one in best),
        tuple(one.high for one in best),
    )  # fmt: skip


def command_of(source: Any, best: Forecast, minutes: float, given: Mapping[str, Any]) -> str:
    """The command that trains what is recommended."""
    words = ["glassloom", "train", str(source), "--model", best.model, "--minutes", f"{minutes:g}"]
    for name, value in {**best.settings, **given}.items():
        flag = name.replace("_", "-")
        words += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return shlex.join(words)


def notes(forecasts: Sequence[Forecast], text: Corpus, minutes: float, given: Mapping[str, Any]) -> list[str]:
    """What must be known to read the figures rightly."""
    best, found = forecasts[0], []
    untimed = {model for model in {one.model for one in forecasts} for width in SIZES[model]
               if not any((one.model, one.width) == (model, width) for one in forecasts)}  # fmt: skip
    if untimed:
        found.append(
            f"The probes left no time for every width of {', '.join(sorted(untimed))}: these were not weighed."
        )
    if minutes > MEASURED_MINUTES:
        found.append(
            f"The error was measured on trainings of {MEASURED_MINUTES:g} minute (docs/plan.md); for {minutes:g} min "
            "the law is drawn out further than that, and the interval with it."
        )
    if best.passes > 2:
        found.append(
            f"In this time {best.model} passes {best.passes:.1f} times over the text; what a text says is soon "
            f"learned by heart, so dropout {dropout_for(best.passes):g} goes along."
        )
    taken = suited({"minutes": minutes, **given}, text.train.tokens, text.train.starts is not None)[0]
    found.append(
        f"Without --model, train takes a {taken['model']} of {taken['layers']} x {taken['width']} with rates of its "
        "own for the time (docs/performance.md); the law does not know these."
    )
    return found
