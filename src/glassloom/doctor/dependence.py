"""Which input token moves which prediction: one token is replaced at a time, in one row, and the logits are compared.

From this table follow exactly: future-leak, batch-leak, time-batch-swapped, no-past, input-ignored.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import TOLERANCE, Passer

AT_MOST = 10
"""How many positions of a row are edited, evenly spread, where a window cannot be shorter."""


@dataclass(frozen=True)
class Dependence:
    """`effect[b, t, c, s]`: the largest change of row b's logits at t when row c's token at s is replaced."""

    effect: Tensor
    places: Tensor
    """The edited positions s."""
    size: float
    """The largest logit."""
    tolerance: float
    """Changes up to here are rounding."""
    last: int = 0
    """The position of the only logits, where there are logits of the last one only."""

    @property
    def finite(self) -> bool:
        """Whether everything measured is a number."""
        return bool(torch.isfinite(self.effect).all())

    @property
    def largest(self) -> float:
        """The largest effect of any token."""
        return self.effect.max().item()

    def own(self, how: str) -> Tensor:
        """The effects within a row of the tokens `before`, `at` or `after` a position."""
        row = torch.diagonal(self.effect, dim1=0, dim2=2)  # t s b
        t, s = torch.arange(row.shape[0])[:, None] + self.last, self.places[None, :]
        chosen = {"before": s < t, "at": s == t, "after": s > t}[how]
        return row[chosen]

    def across(self, how: str = "any") -> Tensor:
        """The effects of other rows' tokens; of those `after` a position only, if asked for."""
        b, c = torch.arange(self.effect.shape[0])[:, None], torch.arange(self.effect.shape[2])[None, :]
        other = self.effect.permute(0, 2, 1, 3)[b != c]  # pairs t s
        if how == "after":
            t, s = torch.arange(other.shape[1])[:, None] + self.last, self.places[None, :]
            return other[:, s > t]
        return other.flatten()

    def counts(self, effects: Tensor) -> float:
        """The largest of some effects; zero where it is rounding, or next to nothing beside the largest of all."""
        found = effects.max().item() if effects.numel() else 0.0
        return found if found > max(self.tolerance, 1e-7 * self.largest) else 0.0


def dependence(opened: Opened, passer: Passer, seed: int = 0, time: int | None = None) -> Dependence:
    """The table for one kind of model, on random tokens."""
    tokens = opened.tokens(seed + 2, time=time)
    batch, length = tokens.shape
    reader = passer.reader()
    base = reader(tokens)
    places = torch.linspace(0, length - 1, min(length, AT_MOST)).round().long().unique()
    effect = torch.zeros(batch, base.shape[1], batch, len(places), dtype=torch.float64)
    for row in range(batch):
        for number, place in enumerate(places.tolist()):
            for shift in (1, max(2, opened.known // 2)):
                edited = tokens.clone()
                edited[row, place] = (edited[row, place] + shift) % opened.known
                change = (reader(edited) - base).double().abs().amax(-1).cpu()
                effect[:, :, row, number] = torch.maximum(effect[:, :, row, number], change)
    size = base.double().abs().max().item()
    last = length - 1 if base.shape[1] == 1 else 0
    return Dependence(effect, places, size, TOLERANCE.get(base.dtype, 1e-4) * max(size, 1e-30), last)


def remixed(found: Dependence) -> Dependence:
    """The table as if the output's axes had been mixed by a reshape, undone: entry (b, t) is number b*T+t of T by B."""
    batch, time = found.effect.shape[:2]
    effect = found.effect.reshape(time, batch, *found.effect.shape[2:]).transpose(0, 1)
    return Dependence(effect, found.places, found.size, found.tolerance, found.last)


def sound(found: Dependence) -> bool:
    """No row sees another, none its future, and each position sees its own token."""
    leaks = found.counts(found.across()) or found.counts(found.own("after"))
    return not leaks and found.counts(found.own("at")) > 0


def leaks_in_blocks(opened: Opened, passer: Passer) -> Evidence:
    """The longest window: the future of one row is replaced from several places on, and whole other rows."""
    tokens, other = opened.tokens(5, time=opened.long), opened.tokens(6, time=opened.long)
    reader = passer.reader()
    base = reader(tokens)
    size = max(base.abs().max().item(), 1e-30)
    tolerance = TOLERANCE.get(base.dtype, 1e-4) * size
    future, rows, where = 0.0, 0.0, -1
    effect = (reader(other) - base).double().abs().max().item()
    for place in sorted({1, opened.long // 4, opened.long // 2, opened.long - 1} - {0}):
        edited = tokens.clone()
        edited[0, place:] = (edited[0, place:] + 1) % opened.known
        change = (reader(edited) - base).double().abs()
        early = change[0, : place if change.shape[1] > 1 else 0]
        if early.numel() and early.max().item() > future:
            future, where = early.max().item(), place
        if len(change) > 1:
            rows = max(rows, change[1:].max().item())
    least = max(tolerance, 1e-7 * effect)
    return {
        "future": future if future > least else 0.0,
        "rows": rows if rows > least else 0.0,
        "edited_from": where,
        "effect": effect,
    }
