"""How far a text is memorised: each sequence's own loss, and the floor below which no memoriser can go.

A model that knows every sequence by heart still has to find out which of them it is reading. Given a prefix, the next
symbol is then distributed as in the sequences that begin so; the loss of that distribution is the floor, exactly:

    floor = mean over sequences of the mean over t > 1 of -ln( W(x_1..x_t) / W(x_1..x_{t-1} and any symbol after it) )

with W the weight of the sequences that begin so. Each counts once, or as the error weighs it (a sequence of n symbols
to predict has weight 1/n a symbol), which gives the least mean over sequences that any predictor can have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from glassloom.data.batches import sequences_by_length
from glassloom.data.corpus import Split
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import CorpusError
from glassloom.loss import token_nats
from glassloom.models.contract import LanguageModel

AT_ONCE = 6000
"""Tokens of a batch, padding counted."""


@dataclass(frozen=True)
class SequenceLosses:
    """Of each sequence: its loss in nats, how many tokens were predicted, and how many of them as the likeliest one.

    `drifts` is how many symbols of the likeliest continuation of the first `given` ones are right before the first
    wrong one; None where all are. Up to that place it is what greedy decoding writes.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]
    correct: tuple[int, ...]
    drifts: tuple[int | None, ...]

    @property
    def mean_of_sequences(self) -> float:
        """The mean over sequences of a sequence's mean, in nats a token: short ones count as much as long ones."""
        return sum(nats / count for nats, count in zip(self.nats, self.tokens, strict=True)) / len(self.nats)

    @property
    def mean_of_tokens(self) -> float:
        """The mean over all tokens, in nats."""
        return sum(self.nats) / sum(self.tokens)

    @property
    def accuracy(self) -> float:
        """The share of tokens that were the likeliest one."""
        return sum(self.correct) / sum(self.tokens)

    @property
    def accuracy_of_sequences(self) -> float:
        """The mean over sequences of the share of its tokens that were the likeliest one."""
        return sum(right / count for right, count in zip(self.correct, self.tokens, strict=True)) / len(self.nats)


@torch.inference_mode()
def sequence_losses(
    model: LanguageModel, split: Split, tokenizer: Tokenizer, *, first: int | None = None, given: int = 30
) -> SequenceLosses:
    """Score every sequence of a split (or the `first` so many) from its start, its first symbol given.

    Raises:
        CorpusError: the text is one stream.
    """
    if split.starts is None:
        raise CorpusError(
            f"The {split.name} split is one stream of text", "sequences", "read it with --sequences lines or paragraphs"
        )
    ids, starts = split.ids, split.starts
    if first is not None and first < len(starts):
        ids, starts = ids[: starts[first]], starts[:first]
    scored: dict[int, tuple[float, int, int, int | None]] = {}
    was_training = model.training
    model.eval()
    after = given if ".start" in tokenizer.specials else given - 1
    for places, batch in sequences_by_length(ids, starts, max_tokens=AT_ONCE, specials=tokenizer.specials):
        logits, _ = model(batch.inputs)
        assert batch.mask is not None
        nats = (token_nats(logits, batch.targets).double() * batch.mask).sum(1).tolist()
        right = (logits.argmax(-1) == batch.targets) & batch.mask
        drifts = [drift(row) for row in (batch.mask & ~right)[:, after:]]
        counts, correct = batch.mask.sum(1).tolist(), right.sum(1).tolist()
        scored |= dict(zip(places.tolist(), zip(nats, counts, correct, drifts, strict=True), strict=True))
    model.train(was_training)
    losses, lengths, rights, places_of_drift = zip(*(scored[place] for place in sorted(scored)), strict=True)
    return SequenceLosses(losses, lengths, rights, places_of_drift)


def drift(wrong: Bool[Tensor, " time"]) -> int | None:
    """How many are right before the first wrong one; None where none is wrong."""
    return int(wrong.int().argmax()) if bool(wrong.any()) else None


@dataclass(frozen=True)
class Floor:
    """The least loss of a perfect memoriser, in nats: the mean of sequences' means, and the mean of tokens."""

    mean_of_sequences: float
    mean_of_tokens: float


def floor(sequences: Sequence[Sequence[int]], weighting: Literal["once", "as the error"] = "once") -> Floor:
    """The floor of a list of sequences of ids, the first id of each given.

    Two sequences that differ in their second symbol: one bit, once, in each.

    >>> bool(floor([[0, 1, 2], [0, 2, 2]]).mean_of_sequences == np.log(2) / 2)
    True
    """
    rows = [tuple(row) for row in sequences if len(row) > 1]
    weights = [1.0 if weighting == "once" else 1 / (len(row) - 1) for row in rows]
    losses = [0.0] * len(rows)
    order = sorted(range(len(rows)), key=rows.__getitem__)
    waiting = [(order, 0)]
    while waiting:  # sequences that agree so far, and on how many symbols
        group, depth = waiting.pop()
        longer = [row for row in group if len(rows[row]) > depth]
        total = sum(weights[row] for row in longer)
        for part in runs_of(longer, [rows[row][depth] for row in longer]):
            share = sum(weights[row] for row in part) / total
            for row in part if depth else ():
                losses[row] -= float(np.log(share))
            if len(part) > 1 or not depth:
                waiting.append((part, depth + 1))
    counts = [len(row) - 1 for row in rows]
    means = [loss / count for loss, count in zip(losses, counts, strict=True)]
    return Floor(sum(means) / len(means), sum(losses) / sum(counts))


def runs_of(rows: list[int], symbols: list[int]) -> Iterator[list[int]]:
    """The rows cut where their symbols change."""
    cuts = [0, *(place for place in range(1, len(rows)) if symbols[place] != symbols[place - 1]), len(rows)]
    return (rows[begin:end] for begin, end in pairwise(cuts) if end > begin)


def sequences_of(split: Split, tokenizer: Tokenizer) -> list[list[int]]:
    """The ids of each sequence of a split, as a model sees them: with .start and .end where the tokenizer has them.

    Raises:
        CorpusError: the text is one stream.
    """
    if split.starts is None:
        raise CorpusError("A text that is one stream has no sequences", "sequences", "read it with --sequences lines")
    before, after = ([tokenizer.specials[mark]] if mark in tokenizer.specials else [] for mark in (".start", ".end"))
    return [before + ids.tolist() + after for ids in np.split(np.asarray(split.ids), np.asarray(split.starts)[1:])]


def unigram_nats(split: Split) -> float:
    """What the frequencies of a split's own tokens cost, in nats a token: their entropy."""
    counts = np.bincount(np.asarray(split.ids))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
