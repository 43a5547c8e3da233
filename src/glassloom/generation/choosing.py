"""One token out of the model's distribution: temperature, then top-k, then top-p, then min-p, then one draw.

Everything is computed on the CPU in float64, so that a seed means the same on every device.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from glassloom.errors import GlassloomError
from glassloom.generation.settings import DecodingSettings

MARGIN = 1e-9
"""Probabilities this near to a bound of top-p or min-p count as on it, whatever rounding did to them."""
BLOCK = 256
"""How many random numbers are drawn at once."""


def shaped(logits: Float[Tensor, "rows vocab"], settings: DecodingSettings) -> Float[Tensor, "rows vocab"]:
    """The probabilities to draw from: those of the model, as temperature, top-k, top-p and min-p leave them.

    top-p is the nucleus of Holtzman et al. (2020), min-p is Nguyen et al. (2024). Of equally probable tokens the one
    with the lower id goes first, so that top-k leaves exactly k.

    >>> logits = torch.tensor([[4.0, 2.0, 1.0, 1.0]]).log()
    >>> [round(p, 6) for p in shaped(logits, DecodingSettings(top_k=3, top_p=0.6))[0].tolist()]
    [0.666667, 0.333333, 0.0, 0.0]
    """
    logits = logits.double()
    if settings.temperature != 1:
        logits = logits / settings.temperature
    if settings.top_k is not None and settings.top_k < logits.shape[-1]:
        logits = logits.masked_fill(~_top_k(logits, settings.top_k), -math.inf)
    if settings.top_p is not None and settings.top_p < 1:
        logits = logits.masked_fill(~_top_p(logits, settings.top_p), -math.inf)
    probabilities = logits.softmax(-1)
    if settings.min_p is not None:
        least = settings.min_p * (1 - MARGIN) * probabilities.amax(-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < least, 0)
        probabilities = probabilities / probabilities.sum(-1, keepdim=True)
    return probabilities


def _top_k(logits: Tensor, k: int) -> Tensor:
    least = logits.topk(k).values[:, -1:]
    above, equal = logits > least, logits == least
    return above | (equal & (equal.cumsum(-1) <= k - above.sum(-1, keepdim=True)))


def _top_p(logits: Tensor, p: float) -> Tensor:
    probabilities, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = probabilities.cumsum(-1) - probabilities
    return torch.zeros_like(logits, dtype=torch.bool).scatter(-1, order, before < p - MARGIN)


def draw(probabilities: Float[Tensor, "rows vocab"], uniforms: Float[Tensor, "rows"]) -> Int[Tensor, "rows"]:
    """The token of each row at which the running sum of probabilities passes the row's number from [0, 1).

    A token of probability zero is never drawn.

    >>> draw(torch.tensor([[0.25, 0.0, 0.75]]).double(), torch.tensor([0.25]).double()).tolist()
    [2]
    """
    sums = probabilities.cumsum(-1)
    total = sums[:, -1]
    goals = torch.minimum(uniforms * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(sums, goals[:, None], right=True)[:, 0]


class Chooser:
    """Chooses the next token of several samples, each with its own stream of random numbers.

    Sample i draws from the generator with seed + i, so it is the same alone and among others.
    """

    def __init__(self, settings: DecodingSettings) -> None:
        self.settings = settings
        seeds = range(settings.seed, settings.seed + settings.count)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._uniforms = torch.empty(settings.count, BLOCK, dtype=torch.float64)
        self._used = BLOCK

    @torch.inference_mode()
    def choose(self, logits: Float[Tensor, "rows vocab"], samples: list[int]) -> tuple[list[int], list[float]]:
        """A token for each of the samples (their numbers, one a row), and its nats under the model itself.

        Raises:
            GlassloomError: the model's probabilities are not finite.
        """
        logits = logits.double()
        totals = logits.logsumexp(-1)
        if not all(map(math.isfinite, totals.tolist())):
            raise GlassloomError(
                "The model gives probabilities that are not finite",
                "a sound model",
                "look at it with `glassloom doctor`, or train it anew with a lower --lr",
            )
        if self.settings.greedy:
            chosen = logits.argmax(-1)
        else:
            chosen = draw(shaped(logits, self.settings), self._next()[samples])
        nats = totals - logits.gather(-1, chosen[:, None])[:, 0]
        return chosen.tolist(), nats.tolist()

    def _next(self) -> Tensor:
        """One number from [0, 1) for each sample, whether or not it is still being written."""
        if self._used == BLOCK:
            for row, generator in zip(self._uniforms, self._generators, strict=True):
                torch.rand(BLOCK, generator=generator, dtype=torch.float64, out=row)
            self._used = 0
        self._used += 1
        return self._uniforms[:, self._used - 1]
