"""The loss on held-out text, under a named protocol, for every architecture alike.

    fair        every token of the split scored once, with the context carried: a recurrent model's state goes on from
                token to token; a model with a bounded context sees windows of `context` with a stride of context/2
    streams     the course project's protocol (REFERENCE A): `batch_size` rows of contiguous text, whole windows of
                `sequence_length` only, a recurrent model's state carried, a transformer sees its own window only
    windows N   windows of N tokens side by side, nothing carried

Figures under different protocols cannot be compared, so each carries its protocol's name wherever it is shown.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.data.batches import Batch, Streams, sequences_in_order
from glassloom.data.corpus import Corpus
from glassloom.errors import CorpusError
from glassloom.loss import Figures, figures, token_nats
from glassloom.models.contract import LanguageModel, State

TOKENS_AT_ONCE = 4096
ROWS, WARM = 16, 1000
"""A long split is cut into so many rows, each warmed up on so many tokens before its own, which are not scored."""


@dataclass(frozen=True)
class Evaluation:
    """A loss, what it was measured on, and how."""

    split: str
    protocol: str
    tokens: int
    figures: Figures

    def as_dict(self) -> dict[str, Any]:
        return {"split": self.split, "protocol": self.protocol, "tokens": self.tokens, **self.figures.as_dict()}


Scored = Iterator[tuple[float, int]]
"""Pieces of a measurement: nats in all, and over how many tokens."""


def evaluate_split(
    model: LanguageModel,
    corpus: Corpus,
    split: str = "valid",
    *,
    protocol: str = "fair",
    tokens: int = 0,
    batch_size: int = 0,
    sequence_length: int = 0,
    autocast: AbstractContextManager[Any] | None = None,
) -> Evaluation:
    """Score a split; `tokens` limits it to its first so many (0: all of it).

    `batch_size` and `sequence_length` belong to the protocols `streams` and `windows`.

    Raises:
        CorpusError: the split is empty.
    """
    part = corpus.split(split)
    if not len(part.ids):
        raise CorpusError(f"The {split} split of {corpus.name} is empty", "a split with text", "choose another --split")
    ids = part.ids[:tokens] if tokens else part.ids
    where = "" if len(ids) == len(part.ids) else f", on the first {len(ids):,} tokens"
    if part.starts is not None:
        starts = part.starts[part.starts < len(ids)]
        pieces = sequences(model, ids, starts, corpus.tokenizer.specials)
        named = "fair: every sequence from its start"
    elif protocol == "streams":
        pieces = streams(model, ids, batch_size, sequence_length)
        seen = "carried state" if model.context is None else "its own window"
        named = f"streams: {batch_size} rows, whole windows of {sequence_length}, {seen}"
    elif protocol == "windows":
        pieces = windows(model, with_token_before(corpus, split, ids), sequence_length, sequence_length)
        named = f"windows: {sequence_length} tokens, nothing carried"
    elif model.context is not None:
        stride = max(1, model.context // 2)
        pieces = windows(model, with_token_before(corpus, split, ids), model.context, stride)
        named = f"fair: every token once, windows of {model.context} with a stride of {stride}"
    else:
        rows = ROWS if len(ids) >= 2 * ROWS * WARM else 1
        pieces = carried(model, with_token_before(corpus, split, ids), rows)
        named = "fair: every token once, state carried"
        named += f" ({rows} rows, each warmed up on the {WARM:,} tokens before it)" if rows > 1 else ""
    nats, count = total(model, pieces, autocast or nullcontext())
    share = len(ids) / len(part.ids) * (count / max(1, len(ids)) if part.starts is None else 1)
    return Evaluation(
        split,
        named + where,
        count,
        figures(nats / count, count, round(part.characters * share), round(part.bytes * share)),
    )


def total(model: LanguageModel, pieces: Scored, autocast: AbstractContextManager[Any]) -> tuple[float, int]:
    """Add up the pieces, the model in evaluation mode and nothing recorded for gradients."""
    was_training = model.training
    model.eval()
    nats, count = 0.0, 0
    try:
        with torch.inference_mode(), autocast:
            for piece, tokens in pieces:
                nats += piece
                count += tokens
    finally:
        model.train(was_training)
    if not count:
        raise CorpusError("The split holds nothing to score under this protocol", "at least one token to predict")
    return nats, count


def with_token_before(corpus: Corpus, split: str, ids: np.ndarray) -> np.ndarray:
    """The split's ids with the token that stands before them, so that the very first one is scored too.

    It is the last token of the split before; the training text begins after its own most frequent line break or, where
    it has none, after its own first token.
    """
    order = [name for name in ("train", "valid", "test") if len(corpus.split(name).ids)]
    place = order.index(split)
    before = int(corpus.split(order[place - 1]).ids[-1]) if place else line_break(corpus)
    return np.concatenate([np.asarray([before]), ids])


def line_break(corpus: Corpus) -> int:
    """The id of a line break, or the first token of the text where the vocabulary has none."""
    tokenizer = corpus.tokenizer
    if "<eos>" in tokenizer.specials:
        return tokenizer.specials["<eos>"]
    if not tokenizer.unknown("\n"):
        return int(tokenizer.encode("\n")[0])
    return int(corpus.train.ids[0])


def tensor(ids: np.ndarray, model: LanguageModel) -> Tensor:
    """Ids as the int64 tensor that a model on its device takes."""
    device = next(model.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64)).to(device)


def carried(model: LanguageModel, ids: np.ndarray, rows: int) -> Scored:
    """One state from the first token to the last; a long text in rows, each warmed up on the tokens before its own."""
    targets = len(ids) - 1
    length = -(-targets // rows)
    state: State = model.initial_state(rows)
    if rows > 1:
        warm = np.stack([ids[row * length - WARM : row * length] for row in range(1, rows)])
        _, warmed = model.hidden(tensor(warm, model))
        state = tuple(torch.cat([first[:1], rest]) for first, rest in zip(state, warmed, strict=True))
    padded = np.concatenate([ids, np.zeros(rows * length - targets, dtype=ids.dtype)])
    grid = np.stack([padded[row * length : (row + 1) * length + 1] for row in range(rows)])
    real = np.arange(rows * length).reshape(rows, length) < targets
    piece = max(1, TOKENS_AT_ONCE // rows)
    for begin in range(0, length, piece):
        tokens = tensor(grid[:, begin : begin + piece + 1], model)
        logits, state = model(tokens[:, :-1], state)
        counts = real[:, begin : begin + piece]
        nats = token_nats(logits, tokens[:, 1:]) * tensor(counts, model)
        yield float(nats.double().sum()), int(counts.sum())


def windows(model: LanguageModel, ids: np.ndarray, length: int, stride: int) -> Scored:
    """Windows of `length` whose last `stride` tokens are scored (all of the first one's), several at once."""
    targets = len(ids) - 1
    length = min(length, targets)
    head = tensor(ids[: length + 1], model)[None]
    yield float(token_nats(model(head[:, :-1])[0], head[:, 1:]).double().sum()), length
    ends = np.arange(length + stride, targets + 1, stride)
    at_once = max(1, TOKENS_AT_ONCE // length)
    for begin in range(0, len(ends), at_once):
        some = ends[begin : begin + at_once]
        grid = tensor(np.stack([ids[end - length : end + 1] for end in some]), model)
        nats = token_nats(model(grid[:, :-1])[0][:, -stride:], grid[:, 1:][:, -stride:])
        yield float(nats.double().sum()), stride * len(some)
    rest = targets - (int(ends[-1]) if len(ends) else length)
    if rest:
        see = length if stride < length else rest  # side by side, the last window is a short one
        tail = tensor(ids[targets - see :], model)[None]
        yield float(token_nats(model(tail[:, :-1])[0][:, -rest:], tail[:, 1:][:, -rest:]).double().sum()), rest


def streams(model: LanguageModel, ids: np.ndarray, batch_size: int, sequence_length: int) -> Scored:
    """REFERENCE A: whole windows of contiguous rows; the tail of the text that fills none is not scored."""
    sampler = Streams(ids, batch_size, sequence_length)
    state: State | None = None
    for _ in range(sampler.steps_per_epoch):
        batch = next(sampler).to(next(model.parameters()).device)
        logits, after = model(batch.inputs, state)
        state = after if model.context is None else None
        yield float(token_nats(logits, batch.targets).double().sum()), batch.tokens


def sequences(model: LanguageModel, ids: np.ndarray, starts: np.ndarray, specials: dict[str, int]) -> Scored:
    """Every sequence from its start to its end."""
    device = next(model.parameters()).device
    for batch in sequences_in_order(ids, starts, max_tokens=TOKENS_AT_ONCE, specials=specials):
        yield masked_nats(model, batch.to(device))


def masked_nats(model: LanguageModel, batch: Batch) -> tuple[float, int]:
    """A batch's loss in all, padding left out, and its number of targets."""
    nats = token_nats(model(batch.inputs)[0], batch.targets).double()
    return float((nats if batch.mask is None else nats * batch.mask).sum()), batch.tokens
