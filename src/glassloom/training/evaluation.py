"""The loss on held-out text, under a named protocol, for every architecture alike.

    fair        every token of the split scored once, with the context carried: a recurrent model's state goes on from
                token to token; a model with a bounded context sees windows of `context` with a stride of context/2
    streams     the course project's protocol (REFERENCE A): `batch_size` rows of contiguous text, whole windows of
                `sequence_length` only, a recurrent model's state carried, a transformer sees its own window only
    windows N   windows of N tokens side by side, nothing carried

Nats per token and perplexity take `<unk>` for one token like any other. Bits per character and per byte are those of
the text itself, so that they also pay for the spelling of each word that became `<unk>` (`glassloom.data.spelling`).

Figures under different protocols cannot be compared, so each carries its protocol's name wherever it is shown.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from torch import Tensor

from glassloom.data.batches import Streams, sequences_in_order
from glassloom.data.corpus import Corpus, Split
from glassloom.errors import CorpusError, SettingError
from glassloom.loss import Figures, figures, token_nats
from glassloom.models.contract import LanguageModel, State
from glassloom.training.shares import is_cut

TOKENS_AT_ONCE, LOGITS_AT_ONCE = 4096, 2**25
ROWS, WARM = 64, 1000
"""A long split is cut into at most so many rows, each warmed up on so many tokens before its own, which are not scored.
A recurrent model's forward pass costs a step little more for many rows than for one."""
WARM_BRIEF = 256
"""In training the slice is cut into rows warmed up on so few tokens, which the protocol states."""


@dataclass(frozen=True)
class Evaluation:
    """A loss, what it was measured on, and how."""

    split: str
    protocol: str
    tokens: int
    figures: Figures
    spelling_nats: float | None = 0.0
    """Of all that is scored: the spellings of words that the vocabulary lacks, which bits per character and per byte
    count and nats per token do not; None where they are not known, and then those bits are not either."""

    @property
    def spelling_share(self) -> float:
        """The share of the bits that spells such words."""
        spelt = self.spelling_nats or 0.0
        return spelt / (self.figures.nats_per_token * self.tokens + spelt) if spelt else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain data; a perplexity beyond every float is None, for JSON has no infinity."""
        shown = self.figures.as_dict()
        shown["perplexity"] = shown["perplexity"] if math.isfinite(shown["perplexity"]) else None
        spelling = {"spelling_nats": self.spelling_nats, "spelling_share": self.spelling_share}
        return {"split": self.split, "protocol": self.protocol, "tokens": self.tokens, **shown, **spelling}


@dataclass(frozen=True)
class Piece:
    """Some rows of a measurement: the nats of each token, and which of all that are scored these are."""

    nats: Tensor
    """`rows columns`, float64; 0 where nothing is scored."""
    begins: list[int]
    """Of each row: which target of the measurement its first one is."""
    counts: list[int]
    """Of each row: how many targets it has, the first so many of its columns."""


Scored = Iterator[Piece]
"""A measurement, piece by piece; nothing runs before it is asked for."""


@dataclass(frozen=True)
class Measurement:
    """What is to be scored of a split under a protocol, and the pieces that do it."""

    corpus: Corpus
    part: Split
    ids: np.ndarray
    protocol: str
    pieces: Scored

    def evaluation(self, nats: float, count: int, protocol: str = "") -> Evaluation:
        """The figures of a loss of so many nats in all over so many tokens."""
        named, part, ids = protocol or self.protocol, self.part, self.ids
        characters, utf8_bytes = spelt(self.corpus, part, ids)
        scored = min(1.0, count / len(ids)) if part.starts is None else 1.0
        if part.spelling is None:
            return Evaluation(part.name, named, count, figures(nats / count, count), None)
        spelling = part.spelling.of(ids, self.corpus.tokenizer) * scored
        reached = figures(nats / count, count, round(characters * scored), round(utf8_bytes * scored), spelling)
        return Evaluation(part.name, named, count, reached, spelling)


class How(TypedDict, total=False):
    """The arguments of `measurement` that go by name."""

    protocol: str
    tokens: int
    batch_size: int
    sequence_length: int
    warm: int


def evaluate_split(
    model: LanguageModel,
    corpus: Corpus,
    split: str = "valid",
    *,
    autocast: AbstractContextManager[Any] | None = None,
    **how: Unpack[How],
) -> Evaluation:
    """Score a split, as `measurement` is told how.

    Raises:
        CorpusError: the split is empty.
    """
    measured = measurement(model, corpus, split, **how)
    return measured.evaluation(*total(model, measured.pieces, autocast or nullcontext()))


def measurement(
    model: LanguageModel,
    corpus: Corpus,
    split: str = "valid",
    *,
    protocol: str = "fair",
    tokens: int = 0,
    batch_size: int = 0,
    sequence_length: int = 0,
    warm: int = WARM,
) -> Measurement:
    """How a split is scored; `tokens` limits it to its first so many (0: all), or to the sequences that end by then.

    `batch_size` and `sequence_length` belong to the protocols `streams` and `windows`; `warm`, to the fair one of
    recurrent models: how many tokens a row is warmed up on, where a long split is cut into rows (0: it never is).

    Raises:
        CorpusError: the split is empty.
    """
    part = corpus.split(split)
    if not len(part.ids):
        raise CorpusError(f"The {split} split of {corpus.name} is empty", "a split with text", "choose another --split")
    ids, starts = beginning(part, tokens) if tokens else (part.ids, part.starts)
    where = "" if len(ids) == len(part.ids) else f", on the first {len(ids):,} tokens"
    if starts is not None and protocol != "fair":
        raise SettingError(
            f"{corpus.name} is a list of sequences, which the protocol {protocol} does not read",
            "the protocol fair: every sequence from its start",
            "drop --windows or --protocol",
        )
    if starts is not None:
        pieces = sequences(model, ids, starts, corpus.tokenizer.specials)
        named = "fair: every sequence from its start"
    elif protocol == "streams":
        pieces = streams(model, ids, batch_size, sequence_length)
        seen = "carried state" if model.context is None else "its own window"
        named = f"streams: {batch_size} rows, whole windows of {sequence_length}, {seen}"
    elif protocol == "windows":
        pieces = windows(model, Line(token_before(corpus, split), ids), sequence_length, sequence_length)
        named = f"windows: {sequence_length} tokens, nothing carried"
    elif model.context is not None:
        stride = max(1, model.context // 2)
        pieces = windows(model, Line(token_before(corpus, split), ids), model.context, stride)
        named = f"fair: every token once, windows of {model.context} with a stride of {stride}"
    else:
        rows = rows_of(len(ids), warm)
        pieces = carried(model, Line(token_before(corpus, split), ids), rows, warm)
        named = "fair: every token once, state carried"
        named += f" ({rows} rows, each warmed up on the {warm:,} tokens before it)" if rows > 1 else ""
    if corpus.memorises and split == "valid":
        where += ", the very text that was trained on: memorisation"
    return Measurement(corpus, part, ids, named + where, pieces)


def rows_of(tokens: int, warm: int) -> int:
    """Into how many rows so many tokens are cut, where a row is warmed up on `warm` of them (0: never cut)."""
    return max(1, min(ROWS, tokens // (2 * warm))) if warm else 1


def beginning(part: Split, tokens: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The first so many tokens of a split; of one of sequences, the whole sequences among them (at least one)."""
    if part.starts is None:
        return part.ids[:tokens], None
    ends = np.append(part.starts[1:], len(part.ids))
    whole = max(1, int(np.searchsorted(ends, tokens, side="right")))
    return part.ids[: int(ends[whole - 1])], part.starts[:whole]


def spelt(corpus: Corpus, part: Split, ids: np.ndarray) -> tuple[float, float]:
    """How many characters and UTF-8 bytes the first ids of a split spell.

    Counted where the tokenizer gives the text back; by the split's average for sequences and where words are unknown.
    """
    if len(ids) < len(part.ids) and part.starts is None and "<unk>" not in corpus.tokenizer.specials:
        text = corpus.tokenizer.decode(ids)
        return len(text), len(text.encode("utf-8", errors="replace"))
    share = len(ids) / len(part.ids)
    return part.characters * share, part.bytes * share


def total(model: LanguageModel, pieces: Scored, autocast: AbstractContextManager[Any]) -> tuple[float, int]:
    """The nats of all pieces, and over how many tokens.

    Raises:
        CorpusError: there is nothing to score.
    """
    nats, count = 0.0, 0
    with scoring(model, autocast):
        for piece in pieces:
            nats += float(piece.nats.sum())
            count += sum(piece.counts)
    if not count:
        raise nothing_to_score()
    return nats, count


@contextmanager
def scoring(model: LanguageModel, autocast: AbstractContextManager[Any]) -> Iterator[None]:
    """The model in evaluation mode and nothing recorded for gradients, while pieces are made."""
    was_training = model.training
    model.eval()
    try:
        shared = any(is_cut(weights) for weights in model.parameters())  # these must stay usable in training
        with torch.no_grad() if shared else torch.inference_mode(), autocast:
            yield
    finally:
        model.train(was_training)


def nothing_to_score() -> CorpusError:
    """The error for a split without a token to predict."""
    return CorpusError("The split holds nothing to score under this protocol", "at least one token to predict")


@dataclass(frozen=True)
class Line:
    """Ids with the one that stands before them, so that the very first is scored too. Nothing is copied but cuts."""

    before: int
    ids: np.ndarray

    @property
    def targets(self) -> int:
        """How many ids are scored."""
        return len(self.ids)

    def cut(self, begin: int, end: int) -> np.ndarray:
        """From `begin` to `end`, where 0 is the token before."""
        cut = np.asarray(self.ids[max(0, begin - 1) : end - 1], dtype=np.int64)
        return np.concatenate([[self.before], cut]) if begin == 0 else cut


def token_before(corpus: Corpus, split: str) -> int:
    """The token that stands before a split: the last one of the split before.

    The training text begins after a line break or, where the vocabulary has none, after its own first token.
    """
    order = [name for name in ("train", "valid", "test") if len(corpus.split(name).ids)]
    place = order.index(split)
    return int(corpus.split(order[place - 1]).ids[-1]) if place else line_break(corpus)


def line_break(corpus: Corpus) -> int:
    """The id of a line break, or the first token of the text where the vocabulary has none."""
    tokenizer = corpus.tokenizer
    if "<eos>" in tokenizer.specials:
        return tokenizer.specials["<eos>"]
    if not tokenizer.unknown("\n"):
        return int(tokenizer.encode("\n")[0])
    return int(corpus.train.ids[0])


def tokens_at_once(model: LanguageModel) -> int:
    """How many tokens to run at once: fewer where the vocabulary makes their logits large."""
    return max(256, min(TOKENS_AT_ONCE, LOGITS_AT_ONCE // model.vocabulary))


def tensor(ids: np.ndarray, model: LanguageModel) -> Tensor:
    """Ids as the int64 tensor that a model on its device takes."""
    device = next(model.parameters()).device
    return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64)).to(device)


def carried(model: LanguageModel, line: Line, rows: int, warm: int) -> Scored:
    """One state from the first token to the last; a long text in rows, each warmed up on the tokens before its own."""
    length = -(-line.targets // rows)
    rows = -(-line.targets // length)
    begins = [row * length for row in range(rows)]
    state: State = model.initial_state(rows)
    if rows > 1:
        _, warmed = model.hidden(tensor(np.stack([line.cut(begin - warm, begin) for begin in begins[1:]]), model))
        state = tuple(torch.cat([first[:1], rest]) for first, rest in zip(state, warmed, strict=True))
    piece = max(1, tokens_at_once(model) // rows)
    for offset in range(0, length, piece):
        size = min(piece, length - offset)
        cuts = [line.cut(begin + offset, begin + offset + size + 1) for begin in begins]
        counts = [max(0, len(cut) - 1) for cut in cuts]
        tokens = tensor(np.stack([np.pad(cut, (0, size + 1 - len(cut))) for cut in cuts]), model)
        logits, state = model(tokens[:, :-1], state)
        nats = token_nats(logits, tokens[:, 1:]).double()
        real = torch.arange(size) < torch.tensor(counts)[:, None]
        yield Piece(nats * real.to(nats.device), [begin + offset for begin in begins], counts)


def windows(model: LanguageModel, line: Line, length: int, stride: int) -> Scored:
    """Windows of `length` whose last `stride` tokens are scored (all of the first one's), several at once."""
    length = min(length, line.targets)
    yield last_nats(model, line, [length], length, length)
    ends = range(length + stride, line.targets + 1, stride)
    at_once = max(1, tokens_at_once(model) // length)
    for first in range(0, len(ends), at_once):
        yield last_nats(model, line, ends[first : first + at_once], length, stride)
    rest = line.targets - (ends[-1] if len(ends) else length)
    if rest:
        see = length if stride < length else rest  # side by side, the last window is a short one
        yield last_nats(model, line, [line.targets], see, rest)


def last_nats(model: LanguageModel, line: Line, ends: Sequence[int], length: int, scored: int) -> Piece:
    """The loss of the last so many tokens of each of the windows that end there."""
    grid = tensor(np.stack([line.cut(end - length, end + 1) for end in ends]), model)
    hidden, _ = model.hidden(grid[:, :-1])
    nats = token_nats(model.logits(hidden[:, -scored:]), grid[:, -scored:])
    return Piece(nats.double(), [end - scored for end in ends], [scored] * len(ends))


def streams(model: LanguageModel, ids: np.ndarray, batch_size: int, sequence_length: int) -> Scored:
    """REFERENCE A: whole windows of contiguous rows; the tail of the text that fills none is not scored."""
    sampler = Streams(ids, batch_size, sequence_length)
    state: State | None = None
    for step in range(sampler.steps_per_epoch):
        batch = next(sampler).to(next(model.parameters()).device)
        logits, after = model(batch.inputs, state)
        state = after if model.context is None else None
        begins = [(row * sampler.steps_per_epoch + step) * sequence_length for row in range(batch_size)]
        yield Piece(token_nats(logits, batch.targets).double(), begins, [sequence_length] * batch_size)


def sequences(model: LanguageModel, ids: np.ndarray, starts: np.ndarray, specials: dict[str, int]) -> Scored:
    """Every sequence from its start to its end."""
    device, before = next(model.parameters()).device, 0
    for batch in sequences_in_order(ids, starts, max_tokens=tokens_at_once(model), specials=specials):
        real = torch.ones_like(batch.targets, dtype=torch.bool) if batch.mask is None else batch.mask
        counts = real.sum(1).tolist()
        batch = batch.to(device)
        nats = token_nats(model(batch.inputs)[0], batch.targets).double() * real.to(device)
        yield Piece(nats, [before + begun for begun in accumulate(counts, initial=0)][:-1], counts)
        before += sum(counts)
