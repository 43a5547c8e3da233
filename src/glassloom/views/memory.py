"""Effective context, measured alike for every architecture: what of the past still matters, and what it is worth.

    changed(k)   mean KL, in bits, of the next token's distribution from what it becomes when the token k before it is
                 replaced by another one of the text's (k = 1: the token just before)
    loss(c)      mean bits of a token given exactly the c tokens before it, in a new row; the c-th saves
                 loss(c - 1) - loss(c)

All k are measured on the same changed places, and all c on the same predicted tokens, so that the numbers compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.errors import InputError, SettingError
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Series, Table
from glassloom.models.contract import LanguageModel
from glassloom.views.flows import named
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Reading, Source, as_tokens, looking, reading

MOST_TOKENS = 512
"""The last so many tokens of a longer text are looked at."""
PLACES, CHANGES = 16, 4
"""So many places are changed, spread evenly, each to so many other tokens."""
LOGITS_AT_ONCE = 2**24
LEFT, NEAR = 0.01, 0.01
"""A change is felt while it moves the prediction by this share of the most; context is enough within so many bits."""


@dataclass(frozen=True)
class Remembered:
    """One model's memory over one text, `context` tokens back."""

    changed: Floats
    """`distance`, from 1, in bits"""
    loss: Floats
    """`tokens of context`, from 0, in bits; NaN at 0 where nothing stands before a text"""
    tokens: int
    """How many tokens were predicted for each length of context."""

    @property
    def saved(self) -> Floats:
        """The loss that each token of context saves, the first at 0."""
        found: Floats = self.loss[:-1] - self.loss[1:]
        return found

    @property
    def reach(self) -> int:
        """The furthest distance at which a change moves the prediction by LEFT of the most; 0 where none does."""
        felt = np.flatnonzero((self.changed > 0) & (self.changed >= LEFT * self.changed.max()))
        return int(felt[-1]) + 1 if len(felt) else 0

    @property
    def enough(self) -> int:
        """The least context whose loss, and that of every longer one, is within NEAR bits of the longest one's."""
        far = np.flatnonzero(~(self.loss <= self.loss[-1] + NEAR))
        return int(far[-1]) + 1 if len(far) else 0


@dataclass(frozen=True)
class Memory(View):
    """The memory of each model by its name."""

    view = "memory"
    models: dict[str, Remembered]

    def facts(self) -> dict[str, Any]:
        return {
            name: {
                "a change is felt up to so many tokens back": each.reach,
                "enough context, tokens": each.enough,
                "predicted tokens": each.tokens,
                "bits with the most context": float(each.loss[-1]),
            }
            for name, each in self.models.items()
        }

    def arrays(self) -> Sequence[Labelled]:
        """The labels along the axes are the distances, and the numbers of tokens."""
        names = {"model": tuple(self.models)}
        every = list(self.models.values())
        far = tuple(str(place) for place in range(len(every[0].loss)))
        back, nth = {**names, "distance": far[1:]}, {**names, "token of context": far[1:]}
        given = {**names, "context": far}
        return [
            Labelled("changed", ("model", "distance"), np.stack([each.changed for each in every]), back, "bits"),
            Labelled("loss", ("model", "context"), np.stack([each.loss for each in every]), given, "bits"),
            Labelled("saved", ("model", "token of context"), np.stack([each.saved for each in every]), nth, "bits"),
        ]

    def exhibits(self) -> list[Exhibit]:
        return memory_exhibits(self)


def memory(
    source: Source,
    text: str | Sequence[int],
    *,
    context: int | None = None,
    seed: int = 0,
    beside: Sequence[Source] = (),
) -> Memory:
    """What of the last `context` tokens matters (as many as half the text, at most 64, if not given).

    >>> memory(run, text, beside=[other]).facts()["lstm"]  # doctest: +SKIP

    Raises:
        InputError: the text is too short, or has only one kind of token. SettingError: it has no such context.
    """
    found = {}
    of_all = [(of, reading(of.tokenizer, text, at_least=4)) for of in named([source, *beside])]
    shortest = min(min(len(read.ids), MOST_TOKENS) for _, read in of_all)
    reach = min(64, shortest // 2) if context is None else context
    if not 1 <= reach < shortest:
        raise SettingError(f"A context of {reach} tokens cannot be measured", f"1 to {shortest - 1}", "give more text")
    for of, read in of_all:
        ids = np.array(read.ids[-MOST_TOKENS:])
        with looking(of.model):
            changed = felt_changes(of.model, read, ids, reach, np.random.default_rng(seed))
            loss, count = losses_by_context(of.model, read, ids, reach)
        found[of.name] = Remembered(changed, loss, count)
    return Memory(found)


def felt_changes(model: LanguageModel, read: Reading, ids: np.ndarray, reach: int, rng: np.random.Generator) -> Floats:
    """For each distance up to `reach`: the mean KL of the prediction from what it becomes, in bits."""
    kinds = np.unique(ids)
    if len(kinds) < 2:
        raise InputError("All tokens of the text are the same", "two kinds of token at least", "give another text")
    last = len(ids) - reach
    places = np.unique(np.linspace(0, last, min(PLACES, last + 1)).round().astype(int))
    rows, at = [], []
    for place in places:
        others = kinds[kinds != ids[place]]
        for other in rng.choice(others, min(CHANGES, len(others)), replace=False):
            row = ids.copy()
            row[place] = other
            rows.append(row)
            at.append(int(place))
    front = len(read.given)
    plain = distributions(model, read, [ids])[0, front:]
    total = np.zeros(reach)
    step = max(1, LOGITS_AT_ONCE // (model.vocabulary * (len(ids) + front)))
    for first in range(0, len(rows), step):
        logs = distributions(model, read, rows[first : first + step])[:, front:]
        apart = (plain.exp() * (plain - logs)).nan_to_num().sum(-1).cpu().numpy() / np.log(2)
        for row, place in zip(apart, at[first : first + step], strict=True):
            total += row[place : place + reach]
    return np.maximum(total / len(rows), 0.0)


def distributions(model: LanguageModel, read: Reading, rows: Sequence[np.ndarray]) -> Tensor:
    """The logarithm of the next token's distribution after each token of each row, `batch time vocab`."""
    logits, _ = model(as_tokens(model, [[*read.given, *row.tolist()] for row in rows]))
    logs: Tensor = logits.double().log_softmax(-1)
    return logs


def losses_by_context(model: LanguageModel, read: Reading, ids: np.ndarray, reach: int) -> tuple[Floats, int]:
    """Mean bits by tokens of context, 0 to `reach`, and over how many predicted tokens.

    A row begins at each place and is `reach` tokens long: after its c-th token it predicts with c tokens of context.
    """
    front, count = len(read.given), len(ids)
    targets = np.arange(reach, count)
    bits = np.full((reach + 1, len(targets)), np.nan)
    begins = np.arange(count - 1)
    step = max(1, LOGITS_AT_ONCE // (model.vocabulary * (reach + front)))
    padded = np.concatenate([ids, np.zeros(reach, dtype=ids.dtype)])
    for first in range(0, len(begins), step):
        some = begins[first : first + step]
        logs = distributions(model, read, [padded[begin : begin + reach] for begin in some])
        own = torch.tensor(np.stack([padded[begin + 1 : begin + reach + 1] for begin in some]), device=logs.device)
        found = (-logs[:, front:].gather(2, own[:, :, None])[:, :, 0] / np.log(2)).cpu().numpy()
        for row, begin in zip(found, some, strict=True):
            for context in range(1, reach + 1):
                if reach <= begin + context < count:
                    bits[context, begin + context - reach] = row[context - 1]
    if front:
        alone = distributions(model, read, [ids[:0]])[0, -1].cpu().numpy()
        bits[0] = -alone[ids[targets]] / np.log(2)
    return bits.mean(1), len(targets)


def memory_exhibits(found: Memory) -> list[Exhibit]:
    """Both curves, all models on the same axes, and a table of how far each remembers."""

    def series(values: dict[str, Floats], first: int) -> tuple[Series, ...]:
        return tuple(
            Series(name=name, x=tuple(range(first, first + len(each))),
                   y=tuple(None if np.isnan(one) else float(one) for one in each))
            for name, each in values.items()
        )  # fmt: skip

    models = found.models
    rows = tuple(
        (name, each.reach, each.enough, float(each.loss[-1]), float(np.nansum(each.saved[1:5])),
         float(np.nansum(each.saved[5:])))
        for name, each in models.items()
    )  # fmt: skip
    columns = (
        Column("model", numeric=False), Column("a change is felt, tokens back", ","), Column("enough context", ","),
        Column("bits with all of it", ".3f"), Column("saved by tokens 2 to 5", ".3f"),
        Column("saved by those beyond", ".3f"),
    )  # fmt: skip
    changed = {name: np.where(each.changed > 0, each.changed, np.nan) for name, each in models.items()}
    return [
        Lines(name="memory-changed", title="How far back a changed token moves the prediction",
              x=Axis("tokens back"), y=Axis("bits", log=True), series=series(changed, 1),
              caption="Kullback-Leibler divergence of the next token's distribution from what it becomes when the "
              "token so far back is another one; mean over places and replacements. What moves nothing is left out."),
        Lines(name="memory-loss", title="What context is worth", x=Axis("tokens of context"), y=Axis("bits a token"),
              series=series({name: each.loss for name, each in models.items()}, 0),
              caption="Mean loss of the same tokens, given exactly so many tokens before each, in a new row."),
        Lines(name="memory-saved", title="What each token of context saves", x=Axis("token of context"),
              y=Axis("bits a token"), series=series({name: each.saved for name, each in models.items()}, 1),
              caption="The loss without it minus the loss with it."),
        Table(name="memory-table", title="How far they remember", columns=columns, rows=rows,
              caption=f"A change is felt while it moves the prediction by {LEFT:.0%} of the most; context is enough "
              f"where no more of it changes the loss by {NEAR} bits."),
    ]  # fmt: skip
