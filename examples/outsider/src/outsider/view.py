"""`calibration`: is the model as often right as it says? (Guo et al. 2017, "On calibration of modern neural networks".)

Every prediction is put into a bin by the probability that the model gives its most probable token. In each bin, the
share of predictions that came true is set beside the mean probability; the expected calibration error is the mean
distance of the two, weighted by how many predictions a bin holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glassloom.extending import (
    Axis,
    InputError,
    Labelled,
    Lines,
    Series,
    Subject,
    View,
    hidden_over,
    looking,
    reading,
    subject,
)


@dataclass(frozen=True)
class Calibration(View):
    """By bin of the most probable token's probability; empty bins are NaN."""

    view = "calibration"
    name: str
    edges: NDArray[np.float64]
    """One more than there are bins."""
    said: NDArray[np.float64]
    """`bin`: the mean probability"""
    true: NDArray[np.float64]
    """`bin`: the share of predictions that came true"""
    counts: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The expected calibration error: 0 where the model is as often right as it says."""
        filled = self.counts > 0
        gaps = np.abs(self.said[filled] - self.true[filled])
        return float((gaps * self.counts[filled]).sum() / self.counts.sum())

    def facts(self) -> dict[str, Any]:
        return {
            "model": self.name, "predictions": int(self.counts.sum()), "expected calibration error": self.error
        }  # fmt: skip

    def arrays(self) -> Sequence[Labelled]:
        bins = tuple(f"{low:.2f} to {high:.2f}" for low, high in zip(self.edges, self.edges[1:], strict=False))
        named = {"said": self.said, "true": self.true, "predictions": self.counts}
        return [Labelled(name, ("bin",), values, {"bin": bins}) for name, values in named.items()]

    def exhibits(self) -> list[Any]:
        filled = self.counts > 0
        said, true = tuple(self.said[filled].tolist()), tuple(self.true[filled].tolist())
        return [
            Lines(
                name="calibration",
                title="How often it is right, by how sure it is",
                x=Axis("probability of the most probable token"),
                y=Axis("share that came true"),
                series=(Series(name=self.name, x=said, y=true), Series(name="as said", x=(0.0, 1.0), y=(0.0, 1.0))),
                caption=f"Expected calibration error {self.error:.3f} over {int(self.counts.sum()):,} predictions.",
            )
        ]


def calibration(source: Subject, text: str | Sequence[int], *, bins: int = 10) -> Calibration:
    """Whether the model is as often right as it says.

    Raises:
        InputError: the text has fewer than two tokens, or there are fewer than two bins.
    """
    if bins < 2:
        raise InputError(f"There cannot be {bins} bins", "at least 2", "give more")
    of = subject(source)
    read = reading(of.tokenizer, text, at_least=2)
    with looking(of.model):
        hidden = hidden_over(of.model, read.inputs[:-1], bool(read.given))
        sure, guessed = of.model.logits(hidden[None]).double().softmax(-1)[0].max(-1)
    right = (guessed == torch.tensor(read.inputs[1:], device=guessed.device)).double().cpu().numpy()
    edges = np.linspace(0, 1, bins + 1)
    probability = sure.cpu().numpy()
    bin_of = np.clip(np.digitize(probability, edges) - 1, 0, bins - 1)
    counts, said, true = (np.bincount(bin_of, weights, bins) for weights in (np.ones_like(right), probability, right))
    with np.errstate(invalid="ignore"):
        return Calibration(of.name, edges, said / counts, true / counts, counts)
