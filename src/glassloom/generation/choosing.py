"""One token out of the model's distribution: temperature, then top-k, then top-p, then min-p, then one draw.

Everything is computed in numpy's float64, so that a seed means the same on every device, and because for the few
numbers of one step numpy costs a fifth of torch's time.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int

from glassloom.errors import GlassloomError
from glassloom.generation.settings import DecodingSettings
from glassloom.kernels.plan import Choice

MARGIN = 1e-9
"""Probabilities this near to a bound of top-p or min-p count as on it, whatever rounding did to them."""
BLOCK = 256
"""How many random numbers are drawn at once."""


def weights(logits: Float64[np.ndarray, "rows vocab"]) -> Float64[np.ndarray, "rows vocab"]:
    """The probabilities of each row but for a factor: the most probable token has 1."""
    return np.exp(logits - logits.max(1, keepdims=True))


def shaped(logits: Float64[np.ndarray, "rows vocab"], settings: DecodingSettings) -> Float64[np.ndarray, "rows vocab"]:
    """The weights to draw with: those of the model, as temperature, top-k, top-p and min-p leave them.

    top-p is the nucleus of Holtzman et al. (2020), min-p is Nguyen et al. (2024). Of equally probable tokens the one
    with the lower id goes first, so that top-k leaves exactly k. Each row's largest weight is 1.

    >>> shaped(np.log([[4.0, 2.0, 1.0, 1.0]]), DecodingSettings(top_k=3, top_p=0.6)).tolist()
    [[1.0, 0.5, 0.0, 0.0]]
    """
    left = weights(logits if settings.temperature == 1 else logits / settings.temperature)
    if settings.top_k is not None and settings.top_k < left.shape[1]:
        left = np.where(_top_k(left, settings.top_k), left, 0)
    if settings.top_p is not None and settings.top_p < 1:
        left = np.where(_top_p(left, settings.top_p), left, 0)
    if settings.min_p is not None:
        left = np.where(left >= settings.min_p * (1 - MARGIN), left, 0)
    return left


def _top_k(left: Float64[np.ndarray, "rows vocab"], k: int) -> Bool[np.ndarray, "rows vocab"]:
    least = np.partition(left, -k, axis=1)[:, -k, None]
    above, equal = left > least, left == least
    return above | (equal & (equal.cumsum(1) <= k - above.sum(1, keepdims=True)))


def _top_p(left: Float64[np.ndarray, "rows vocab"], p: float) -> Bool[np.ndarray, "rows vocab"]:
    order = np.argsort(-left, axis=1, kind="stable")
    ranked = np.take_along_axis(left, order, axis=1)
    sums = ranked.cumsum(1)
    kept = np.zeros(left.shape, dtype=bool)
    np.put_along_axis(kept, order, sums - ranked < (p - MARGIN) * sums[:, -1:], axis=1)
    return kept


def draw(left: Float64[np.ndarray, "rows vocab"], uniforms: Float64[np.ndarray, " rows"]) -> Int[np.ndarray, " rows"]:
    """The token of each row at which the running sum of weights passes the row's number from [0, 1) times their sum.

    A token of weight zero is never drawn.

    >>> draw(np.array([[0.5, 0.0, 1.5]]), np.array([0.25])).tolist()
    [2]
    """
    sums = left.cumsum(1)
    total = sums[:, -1]
    goals = np.minimum(uniforms * total, np.nextafter(total, 0))
    return (sums <= goals[:, None]).sum(1)


class Chooser:
    """Chooses the next token of several samples, each with its own stream of random numbers.

    Sample i draws from the generator with seed + i, one number a token, so it is the same alone and among others.
    """

    def __init__(self, settings: DecodingSettings, end: int | None = None) -> None:
        self.settings = settings
        self.choice = Choice(
            settings.temperature,
            settings.top_k or 0,
            settings.top_p or 1.0,
            settings.min_p or 0.0,
            settings.greedy,
            -1 if end is None else end,
        )
        self._plain = Choice(end=self.choice.end) == self.choice
        seeds = range(settings.seed, settings.seed + settings.count)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._uniforms = np.empty((settings.count, BLOCK))
        self._used = BLOCK

    def choose(
        self, logits: Float64[np.ndarray, "rows vocab"], uniforms: Float64[np.ndarray, " rows"]
    ) -> tuple[list[int], list[float]]:
        """A token for each row by its number from [0, 1), and its nats under the model itself.

        Raises:
            GlassloomError: the model's probabilities are not finite.
        """
        if len(logits) == 1:
            index, loss = self.choose_one(logits[0], float(uniforms[0]))
            return [index], [loss]
        with np.errstate(invalid="ignore"):
            totals = logits.max(1) + np.log(weights(logits).sum(1))
        if not np.isfinite(totals).all():
            raise not_finite()
        chosen = logits.argmax(1) if self.settings.greedy else draw(shaped(logits, self.settings), uniforms)
        nats = totals - logits[np.arange(len(chosen)), chosen]
        return chosen.tolist(), nats.tolist()

    def choose_one(self, logits: Float[np.ndarray, " vocab"], uniform: float) -> tuple[int, float]:
        """The same for a single row, in fewer calls.

        Raises:
            GlassloomError: the model's probabilities are not finite.
        """
        logits = logits.astype(np.float64)
        greatest = float(logits.max())
        if not math.isfinite(greatest):
            raise not_finite()
        sums = np.exp(logits - greatest).cumsum()
        total = float(sums[-1])
        if self._plain:
            chosen = int(sums.searchsorted(min(uniform * total, math.nextafter(total, 0)), "right"))
        elif self.settings.greedy:
            chosen = int(logits.argmax())
        else:
            chosen = int(draw(shaped(logits[None], self.settings), np.array([uniform]))[0])
        return chosen, greatest + math.log(total) - float(logits[chosen])

    def coming(self, most: int) -> Float64[np.ndarray, "samples time"]:
        """The next 1 to `most` numbers from [0, 1) of every sample, whether or not it is still being written."""
        if self._used == BLOCK:
            for row, generator in zip(self._uniforms, self._generators, strict=True):
                row[:] = torch.rand(BLOCK, generator=generator, dtype=torch.float64).numpy()
            self._used = 0
        first = self._used
        self._used = min(first + most, BLOCK)
        return self._uniforms[:, first : self._used]


def not_finite() -> GlassloomError:
    """The error for a model whose probabilities are not finite."""
    return GlassloomError(
        "The model gives probabilities that are not finite",
        "a sound model",
        "look at it with `glassloom doctor`, or train it anew with a lower --lr",
    )
