"""The model that is taken where none was asked for, and why.

What stands behind the rows: up to a quarter of a minute the search of `benchmarks/search_settings.py`, whose lines are
in `benchmarks/results/settings_search.json`; about a minute `benchmarks/defaults.py`, which compares this choice with
every architecture's defaults on four texts; longer trainings were not compared, their sizes are set by hand. A larger
model learns more from each token and sees fewer of them, so more time goes with a larger one; the more often a text is
passed over, the more is dropped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glassloom.config.names import plain_names
from glassloom.config.training import BUDGETS
from glassloom.kernels import native
from glassloom.models import ARCHITECTURES, settings_of
from glassloom.training.machine import choose_device

TYPICAL_MINUTES = 2.0
"""What is trained for where no budget is given."""

MEASURED_MINUTES = 3.0
"""Up to here the choice was compared with others."""

FAST_STEPS = 200
"""`--fast`: so many updates, some two seconds on two cores."""


@dataclass(frozen=True)
class Choice:
    """Settings for trainings of up to so many minutes, and how many tokens they see in one of them on two cores."""

    up_to_minutes: float
    tokens_a_minute: float
    settings: Mapping[str, Any]


SHARED = {"model": "gru", "embedding": 128, "schedule": "linear", "lr_final": 0.0, "clip_norm": 1.0}
CHOICES = (
    Choice(
        0.25,
        5e6,
        {"layers": 1, "width": 256, "batch_size": 16, "sequence_length": 64, "lr": 1.2e-2, "batching": "windows"},
    ),
    Choice(3, 3e6, {"layers": 2, "width": 256, "batch_size": 32, "sequence_length": 128, "lr": 8e-3}),
    Choice(20, 1.4e6, {"layers": 2, "width": 384, "batch_size": 32, "sequence_length": 128, "lr": 5e-3}),
    Choice(float("inf"), 0.9e6, {"layers": 2, "width": 512, "batch_size": 32, "sequence_length": 128, "lr": 4e-3}),
)
DROPOUT = ((2, 0.0), (6, 0.1), (float("inf"), 0.2))
"""Below so many passes over the text, what share of the entries is dropped."""


def names_a_model(given: Mapping[str, Any]) -> bool:
    """Whether a model, or any setting of one, is among what is given."""
    named = set().union(*(settings_of(name).model_fields for name in ARCHITECTURES)) | {"model"}
    return bool(named & set(given))


def is_open(given: Mapping[str, Any]) -> bool:
    """Whether the choice of the model is left open: nothing of it was named, and the budget is one of time."""
    return not names_a_model(given) and all(given.get(budget) is None for budget in BUDGETS if budget != "minutes")


def suited(given: Mapping[str, Any], tokens: int, sequences: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The settings that a training of `tokens` takes by itself, beneath what is given; and a line that says why.

    `sequences`: the text is a list of them, whose batches are their own.

    >>> suited({"minutes": 1}, 10_000_000)[0]["width"]
    256
    """
    minutes = float(given.get("minutes") or TYPICAL_MINUTES)
    choice = next(one for one in CHOICES if minutes <= one.up_to_minutes)
    passes = minutes * choice.tokens_a_minute / max(tokens, 1)
    dropout = next(share for most, share in DROPOUT if passes < most)
    settings = {**SHARED, **choice.settings, "dropout": dropout, **in_bfloat16(given)}
    layers = "1 layer" if settings["layers"] == 1 else f"{settings['layers']} layers"
    measured = minutes <= MEASURED_MINUTES
    why = (
        "came within 0.01 nats of the best of all defaults on four texts in a minute"
        if measured
        else "is a size set by hand for such times"
    )
    return fitting(settings, given, sequences), [
        f"No model was asked for: for {minutes:g} min a GRU of {layers} of {settings['width']} is taken, which {why} "
        f"(docs/performance.md), with dropout {dropout:g} for some {passes:.1f} passes over this text. "
        "--model names another."
    ]


def fast(given: Mapping[str, Any], sequences: bool = False) -> dict[str, Any]:
    """What `--fast` stands for, beneath what is given: the smallest choice, few updates, one look at the end."""
    given = plain_names(given)
    model = {} if names_a_model(given) else {**SHARED, **CHOICES[0].settings, **in_bfloat16(given)}
    budget = {} if any(given.get(name) is not None for name in BUDGETS) else {"steps": FAST_STEPS}
    return {**fitting(model, given, sequences), "evaluations": 1, "sample_every": 10**9, **budget}


def fitting(chosen: Mapping[str, Any], given: Mapping[str, Any], sequences: bool) -> dict[str, Any]:
    """A choice without what does not go with the rest: Adam's rate with another optimizer, windows over sequences."""
    unfit = {"batching"} if sequences else set()
    if given.get("optimizer", "adam") not in ("adam", "adamw"):
        unfit.add("lr")
    return {name: value for name, value in chosen.items() if name not in unfit}


def in_bfloat16(given: Mapping[str, Any]) -> dict[str, str]:
    """Products in bfloat16 where this processor multiplies in it and the recurrent kernels are built for that."""
    on_cpu = choose_device(str(given.get("device") or "auto")) == "cpu"
    return {"precision": "bfloat16"} if on_cpu and str(native.chosen()).endswith("bf16") else {}
