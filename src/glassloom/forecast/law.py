"""How the loss falls with size and with tokens seen: a law for each architecture, fitted to a text by its probes.

    L(N, D) = E + s [ A (N / 1e6)^-alpha + B ((D + D0) / 1e6)^-beta ]                                              (1)
    D = U (1 + R (1 - exp(-(p - 1) / R)))   for p > 1 passes over U tokens;   D = p U otherwise                    (2)

(1) is the form of Kaplan et al. 2020 ("Scaling Laws for Neural Language Models") and Hoffmann et al. 2022 ("Training
Compute-Optimal Large Language Models", equation 2): a floor, what the N parameters cannot hold, what the D tokens did
not show. D0 lets the law begin late: a transformer of this size learns little from its first hundred thousand tokens.
(2) is how much repeated tokens are worth, by Muennighoff et al. 2023 ("Scaling Data-Constrained Language Models",
equation 5).

A, alpha, B, beta, D0 and R are constants of the architectures at their own defaults, made from the trainings that
`benchmarks/plan_law.py` keeps; E (the text's floor) and s (how much there is to be learned in it) are the text's own,
and come from its probes.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np

SCALE_PRIOR = 0.2
"""How far a text's s usually lies from 1, that of the texts that the constants are from: what a few short probes say is
weighed against that."""
DRAWS = 400
"""So many times the probes are drawn anew for the interval."""
INSIDE = 0.9
"""The share of trainings that are to end inside the interval."""
PROBE_ERROR, EARLY_TOKENS = 0.03, 30_000
"""What a probe's loss is off, in nats: another seed, another slice; and more, the less it has seen of so many tokens
and of the architecture's own D0, for the first updates of a training follow no law."""


@dataclass(frozen=True)
class Constants:
    """An architecture's own part of (1)."""

    size: float
    alpha: float
    data: float
    beta: float
    late: float
    """D0, in tokens."""


@dataclass(frozen=True)
class Law:
    """What is the same for every text."""

    architectures: dict[str, Constants]
    repeats: float
    """R of (2)."""
    spread: float
    """What a prediction is off for every factor of e by which it goes beyond the probes, one standard deviation, in
    units of s: left out of its own making, each text's trainings of a minute were foretold from its short ones."""


@dataclass(frozen=True)
class Point:
    """A training: which architecture of how many parameters saw how many tokens, and its loss."""

    model: str
    parameters: int
    tokens: float
    """Worth of tokens, by (2)."""
    nats: float


@dataclass(frozen=True)
class Fitted:
    """The law with a text's own part, and other such parts that the probes allow as well."""

    floor: float
    scale: float
    drawn: tuple[tuple[float, float], ...]
    reach: float
    """The most tokens that a probe saw."""


@cache
def law() -> Law:
    """The constants, as `benchmarks/plan_law.py` made them."""
    found = json.loads(resources.files("glassloom.forecast").joinpath("law.json").read_text(encoding="utf-8"))
    architectures = {name: Constants(**one) for name, one in found["architectures"].items()}
    return Law(architectures, found["repeats"], found["spread"])


def worth(seen: float, unique: int, repeats: float | None = None) -> float:
    """How many fresh tokens as many seen ones are worth, when there are only so many different ones: (2).

    >>> worth(500, 1000, 10.0), round(worth(11_000, 1000, 10.0))
    (500, 7321)
    """
    repeats = law().repeats if repeats is None else repeats
    if seen <= unique:
        return seen
    return unique * (1 + repeats * (1 - math.exp(-(seen / unique - 1) / repeats)))


def reducible(one: Constants, parameters: float, tokens: float) -> float:
    """What stands in brackets in (1)."""
    held = one.size * (parameters / 1e6) ** -one.alpha
    return held + one.data * ((tokens + one.late) / 1e6) ** -one.beta


def fit(points: Sequence[Point], *, seed: int = 0, constants: Law | None = None) -> Fitted:
    """A text's floor and scale from its probes, by least squares; probes drawn with replacement give the others.

    (1) is linear in E and s. The scale is held near 1 by as much as `SCALE_PRIOR` says, and above 0.
    """
    known = constants or law()
    features = np.array([reducible(known.architectures[one.model], one.parameters, one.tokens) for one in points])
    losses = np.array([one.nats for one in points])
    errors = np.array([error_of(one.tokens, known.architectures[one.model].late) for one in points])
    floor, scale = solved(features, losses, errors)
    residuals = (losses - floor - scale * features) / errors
    errors = errors * max(1.0, float(np.sqrt((residuals**2).sum() / max(1, len(points) - 2))))
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        chosen = random.integers(0, len(points), len(points))
        again = losses[chosen] + random.normal(0.0, 1.0, len(points)) * errors[chosen]
        drawn.append(solved(features[chosen], again, errors[chosen]))
    return Fitted(floor, scale, tuple(drawn), max(one.tokens for one in points))


def error_of(tokens: float, late: float) -> float:
    """What the loss of a probe of so many tokens is off, where the law begins after so many.

    >>> round(error_of(1e9, 0), 3), round(error_of(10_000, 20_000), 3)
    (0.03, 0.18)
    """
    return PROBE_ERROR * (1 + (EARLY_TOKENS + late) / max(tokens, 1.0))


def solved(features: np.ndarray, losses: np.ndarray, errors: np.ndarray) -> tuple[float, float]:
    """The floor and the scale of the least squared error, the scale's prior as one more observation.

    >>> features = np.array([1.0, 2.0, 3.0])
    >>> floor, scale = solved(features, 0.5 + 1.0 * features, np.ones(3))
    >>> round(floor, 6), round(scale, 6)
    (0.5, 1.0)
    """
    weights = 1 / errors**2
    centre, middle = (float((weights * values).sum() / weights.sum()) for values in (features, losses))
    prior = 1 / SCALE_PRIOR**2
    spread = float((weights * (features - centre) ** 2).sum())
    together = float((weights * (features - centre) * (losses - middle)).sum())
    scale = max(0.05, (together + prior) / (spread + prior))
    return middle - scale * centre, scale


def predicted(
    fitted: Fitted, model: str, parameters: float, tokens: float, *, constants: Law | None = None
) -> tuple[float, float, float]:
    """The loss that a training will reach, and the ends of its interval: (nats, low, high).

    The interval holds what the probes leave open, and what the law itself has been off, more of it the further the
    training goes beyond the probes.
    """
    known = constants or law()
    feature = reducible(known.architectures[model], parameters, tokens)
    nats = fitted.floor + fitted.scale * feature
    others = np.array([floor + scale * feature for floor, scale in fitted.drawn])
    beyond = max(1.0, math.log(max(tokens, 1.0) / max(fitted.reach, 1.0)))
    deviation = math.hypot(float(others.std()), known.spread * beyond * fitted.scale)
    reach = normal_quantile((1 + INSIDE) / 2) * deviation
    return nats, max(0.0, nats - reach), nats + reach


def normal_quantile(share: float) -> float:
    """Below how many standard deviations that share of a normal distribution lies.

    >>> round(normal_quantile(0.95), 4)
    1.6449
    """
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
