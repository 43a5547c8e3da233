"""How sharp attention is before training: every softmax over positions is watched while the model runs.

So is every product of matrices of which one is a table of shares (no entry below zero, every row adds up to one):
weights that were normalised by hand.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from glassloom.doctor.finding import Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer

AVAILABLE = 8
"""How many keys a query must be able to see to be counted."""
ONE_HOT = 0.95
"""The mean largest weight of a layer's queries from which on attention is called nearly one-hot."""


class Softmaxes(TorchDispatchMode):
    """While active, keeps what each softmax was given and gave; of shares in a product their logarithms, and them."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Tensor, Tensor, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten._softmax.default, torch.ops.aten._safe_softmax.default):
            axis = args[1] if len(args) > 1 else (kwargs or {}).get("dim", -1)
            if output.ndim >= 2:
                self.seen.append((args[0].detach(), output.detach(), axis))
        elif func in (torch.ops.aten.bmm.default, torch.ops.aten.mm.default):
            for weights in (args[0].detach(), args[1].detach().transpose(-1, -2)):
                if are_shares(weights):
                    self.seen.append((weights.log(), weights, weights.ndim - 1))
        return output


def are_shares(weights: Tensor) -> bool:
    """Whether each row of a matrix divides one among enough entries to be attention."""
    if not weights.is_floating_point() or weights.shape[-1] < AVAILABLE or not bool(weights.min() >= 0):
        return False
    rounding = 2e-2 if weights.dtype in (torch.bfloat16, torch.float16) else 1e-4
    return bool((weights.sum(-1) - 1).abs().max() < rounding)


def attention_findings(opened: Opened) -> list[Finding]:
    """saturated-attention, where in some layer nearly every query with a choice has chosen, in two new models."""
    if opened.long < AVAILABLE + 2 or opened.square_only:
        return []
    worst = [sharpest(opened, opened.passer.with_(seed=seed)) for seed in (0, 1)]
    if min(worst) < ONE_HOT:
        return []
    evidence = {"mean_largest_weight": sum(worst) / 2, "keys_at_least": AVAILABLE, "uniform": 1 / AVAILABLE}
    words = f"With {AVAILABLE} keys and more to choose from, the largest weight is {min(worst):.3f} on average."
    return [finding("saturated-attention", evidence, words)]


def sharpest(opened: Opened, passer: Passer) -> float:
    """The mean largest attention weight of the sharpest layer; 0 where there is no softmax over positions."""
    short = opened.long - 1
    lengths = (opened.long, short) if short > AVAILABLE else (opened.long,)
    weights = []
    for length in lengths:
        try:
            weights.append(mean_largest(passer, opened.tokens(41, time=length)))
        except Exception:
            return 0.0
    if len(weights) < 2 or len(weights[0]) != len(weights[1]):
        return max((one for size, one in weights[0] if size >= AVAILABLE), default=0.0)
    pairs = zip(*weights, strict=True)
    return max((one for (size, one), (other, _) in pairs if size != other), default=0.0)


def mean_largest(passer: Passer, tokens: Tensor) -> list[tuple[int, float]]:
    """For each softmax of a pass: over how many entries it went, and the mean of its largest weights."""
    reader = passer.reader()
    with sdpa_kernel(SDPBackend.MATH), Softmaxes() as softmaxes:
        reader(tokens)
    found = []
    for scores, weights, axis in softmaxes.seen:
        size = weights.shape[axis]
        scores, weights = scores.movedim(axis, -1).double(), weights.movedim(axis, -1).double()
        there = torch.isfinite(scores) & (scores > -5e3)
        if scores.shape != weights.shape:
            continue
        counted = there.sum(-1) >= AVAILABLE
        largest = torch.nan_to_num(weights.amax(-1))[counted]
        found.append((size, largest.mean().item() if largest.numel() else 0.0))
    return found
