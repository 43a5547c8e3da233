"""One update under the magnifying glass: of each parameter its gradient, itself, and what the update changed.

    gradient    norm of the gradient, before clipping
    weight      norm of the parameter, before the update
    update      norm of what the update added; update / weight of about 1e-3 is customary (Karpathy 2015)

and a histogram of its weights and of its gradients: COUNTS equal bins from -most to most. It is taken at the first
update and at the one after each evaluation, so it costs a copy of the weights as often as that, and no more.
"""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.models.contract import LanguageModel

COUNTS = 20
ENTRIES = 2**16
"""Of a larger tensor the histogram counts about so many entries, evenly spread."""


class Norms:
    """The state of all parameters after the backward pass, before clipping and the update."""

    @torch.no_grad()
    def __init__(self, model: LanguageModel) -> None:
        named = [(name, weights) for name, weights in model.named_parameters() if weights.grad is not None]
        self._before = {name: weights.detach().clone() for name, weights in named}
        gradients = [weights.grad for _, weights in named if weights.grad is not None]
        self._gradients = dict(zip(self._before, torch._foreach_norm(gradients), strict=True)) if named else {}
        self._histograms = {
            name: histogram(gradient) for name, gradient in zip(self._before, gradients, strict=True)
        }  # fmt: skip

    @torch.no_grad()
    def after(self, model: LanguageModel) -> dict[str, dict[str, Any]]:
        """What the update made of it, by parameter: norms, and histograms of weights and gradients."""
        found = {}
        for name, weights in model.named_parameters():
            if name not in self._before:
                continue
            before = self._before[name]
            found[name] = {
                "gradient": known(self._gradients[name]),
                "weight": known(torch.linalg.vector_norm(before)),
                "update": known(torch.linalg.vector_norm(weights.detach() - before)),
                "weights": histogram(before),
                "gradients": self._histograms[name],
            }
        return found


def known(norm: Tensor) -> float | None:
    """A norm as it can be written down: None where training has lost it."""
    found = float(norm)
    return found if math.isfinite(found) else None


def histogram(values: Tensor) -> dict[str, Any]:
    """How many entries lie in each of COUNTS equal bins from -most to most.

    >>> histogram(torch.tensor([-1.0, 0.95, 1.0]))["counts"][::19]
    [1, 2]
    """
    flat = values.detach().reshape(-1)[:: max(1, values.numel() // ENTRIES)].float().cpu().numpy()
    most = float(np.abs(flat).max()) if len(flat) else 0.0
    if not np.isfinite(most):
        return {"most": None, "counts": []}
    counts, _ = np.histogram(flat, bins=COUNTS, range=(-most, most) if most else (-1.0, 1.0))
    return {"most": most, "counts": counts.tolist()}
