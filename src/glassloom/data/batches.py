"""From ids to batches: contiguous streams, random windows, and padded sequences.

All are endless iterators of `Batch` and look the same to the training loop; `fresh` says which rows start anew:

    Streams   row i reads the i-th stretch of the text from front to back, one window after the other; the rows are
              fresh at the start of an epoch only, so the model's state is carried from window to window.
    Windows   each row is a random window of the text; every row is fresh.
    Padded    each row is one whole sequence; rows of like length go together, and the shorter ones are padded.

The ids may be a memory-mapped file of any size: a batch reads, and converts to int64, only its own tokens.
`state()` is plain JSON; a new sampler over the same ids that is given it by `restore` goes on with the very next batch.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassloom.errors import CorpusError, RunError, SettingError, notice
from glassloom.shapes import Mask, Rows, TokenNats, Tokens


@dataclass(frozen=True)
class Batch:
    """What one step of training sees.

    `targets` is `inputs` moved on by one token. `fresh` marks the rows that start anew (the others go on where the
    batch before ended). `mask` is False where a target is padding; None where every target counts.

    >>> ids = np.arange(8, dtype=np.uint8)
    >>> next(Streams(ids, batch_size=2, sequence_length=3)).targets.tolist()
    [[1, 2, 3], [5, 6, 7]]
    """

    inputs: Tokens
    targets: Tokens
    fresh: Rows
    mask: Mask | None = None

    @property
    def tokens(self) -> int:
        """How many targets count. Known without waiting for a device only while the batch lies on the CPU."""
        return self.targets.numel() if self.mask is None else int(self.mask.sum())

    def weights(self, tokens: int, dtype: torch.dtype) -> TokenNats:
        """What each target counts for in a mean over so many `tokens`; padding counts for nothing."""
        share = 1 / max(tokens, 1)
        if self.mask is None:
            return torch.full(self.targets.shape, share, dtype=dtype, device=self.targets.device)
        return self.mask.to(dtype).mul_(share)

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on another device; itself where it is there already. To CUDA without waiting for it."""
        if self.inputs.device == torch.device(device):
            return self
        pinned = torch.device(device).type == "cuda" and self.inputs.device.type == "cpu"

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            return tensor.pin_memory().to(device, non_blocking=True) if pinned else tensor.to(device)

        mask = None if self.mask is None else moved(self.mask)
        return Batch(moved(self.inputs), moved(self.targets), moved(self.fresh), mask)

    def split(self, parts: int) -> list["Batch"]:
        """The rows dealt into at most `parts` smaller batches, in order: for accumulating gradients."""
        if parts == 1:
            return [self]
        rows = -(-self.inputs.shape[0] // parts)
        masks = [None] * parts if self.mask is None else self.mask.split(rows)
        pieces = zip(self.inputs.split(rows), self.targets.split(rows), self.fresh.split(rows), masks, strict=False)
        return [Batch(*piece) for piece in pieces]


class Sampler(Iterator[Batch]):
    """Endless batches, with a state that can be saved; the base of the three kinds."""

    kind: str
    steps_per_epoch: int

    def __init__(self) -> None:
        self.steps = 0

    @property
    def epoch(self) -> float:
        """Passes over the text so far, with the fraction of the one under way."""
        return self.steps / self.steps_per_epoch

    def state(self) -> dict[str, Any]:
        """Where the sampler is, as plain JSON."""
        return {"kind": self.kind, "steps": self.steps, "steps_per_epoch": self.steps_per_epoch}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken. Raises RunError when it is of another kind of batch, or of another text."""
        for name in ("kind", "steps_per_epoch"):
            if state.get(name) != (own := getattr(self, name)):
                raise RunError(
                    f"The saved position in the data has {name} {state.get(name)!r}",
                    f"{own!r}, as these batches have",
                    "continue with the text and the settings of batches that the run began with",
                )
        self.steps = int(state["steps"])


def epoch_of(state: Mapping[str, Any]) -> float:
    """Passes over the text of a saved `Sampler.state`."""
    return float(state.get("epoch", state["steps"] / state["steps_per_epoch"]))


def largest_batch_size(tokens: int, sequence_length: int) -> int:
    """The most rows that a text can fill with windows of `sequence_length` tokens and the target after them.

    >>> largest_batch_size(100, 9)
    10
    """
    return tokens // (sequence_length + 1)


def check_size(tokens: int, batch_size: int, sequence_length: int, named: str = "sequence_length") -> None:
    """Whether a text can fill a batch; `named` is the setting that the window comes from.

    Raises:
        CorpusError: it cannot fill a single window.
        SettingError: it cannot fill so many rows.
    """
    if batch_size < 1 or sequence_length < 1:
        raise SettingError(
            f"batch_size is {batch_size} and sequence_length is {sequence_length}", "both at least 1", "raise them"
        )
    largest = largest_batch_size(tokens, sequence_length)
    if largest == 0:
        raise CorpusError(
            f"The text has {tokens} tokens, too few for one window of {named} {sequence_length}",
            f"at least {sequence_length + 1} tokens",
            f"give a longer text, or set {named} to {tokens - 1} or less" if tokens > 1 else "give a longer text",
        )
    if batch_size > largest:
        raise SettingError(
            f"The text has {tokens} tokens, too few to fill batch_size {batch_size} at {named} {sequence_length}",
            f"a batch size of at most {largest}",
            f"set batch_size to {largest} or less, or shorten {named}",
        )


def as_tokens(ids: np.ndarray) -> torch.Tensor:
    """Ids as int64."""
    return torch.from_numpy(np.ascontiguousarray(ids, dtype=np.int64))


class Streams(Sampler):
    """One contiguous stretch of the text per row, read window by window (Mikolov's and Zaremba's batches; REFERENCE A).

    The text's tail that fills no row, and each row's tail that fills no window, are dropped:
    steps_per_epoch = (tokens // batch_size - 1) // sequence_length.
    """

    kind = "streams"

    def __init__(self, ids: np.ndarray, batch_size: int, sequence_length: int) -> None:
        super().__init__()
        check_size(len(ids), batch_size, sequence_length)
        length = len(ids) // batch_size
        self._rows = ids[: batch_size * length].reshape(batch_size, length)
        self._window = sequence_length
        self.steps_per_epoch = (length - 1) // sequence_length

    def __next__(self) -> Batch:
        step = self.steps % self.steps_per_epoch
        begin = step * self._window
        tokens = as_tokens(self._rows[:, begin : begin + self._window + 1])
        self.steps += 1
        fresh = torch.full((tokens.shape[0],), step == 0)
        return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), fresh)


class Windows(Sampler):
    """Random windows of the text, drawn independently; an epoch is as many of them as have the text's length."""

    kind = "windows"

    def __init__(self, ids: np.ndarray, batch_size: int, sequence_length: int, rng: np.random.Generator) -> None:
        super().__init__()
        check_size(len(ids), batch_size, sequence_length)
        self._ids, self._batch_size, self._rng = ids, batch_size, rng
        self._span = np.arange(sequence_length + 1)
        self.steps_per_epoch = max(1, len(ids) // (batch_size * sequence_length))

    def __next__(self) -> Batch:
        starts = self._rng.integers(0, len(self._ids) - len(self._span) + 1, size=(self._batch_size, 1))
        tokens = as_tokens(self._ids[starts + self._span])
        self.steps += 1
        fresh = torch.ones(self._batch_size, dtype=torch.bool)
        return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), fresh)

    def state(self) -> dict[str, Any]:
        return super().state() | {"rng": self._rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._rng.bit_generator.state = state["rng"]


class _Sequences:
    """The sequences of a text, and how to lay some of them out as one padded batch.

    A row reads .start and the sequence, and has to say the sequence and .end. Where the tokenizer has no .start the
    first token is given and not scored; where it has no .end nothing is to be said after the last one.
    """

    def __init__(self, ids: np.ndarray, starts: np.ndarray, specials: Mapping[str, int]) -> None:
        self.ids, self.starts = ids, np.asarray(starts, dtype=np.int64)
        self.sizes = np.diff(self.starts, append=len(ids))
        self.start, self.end = specials.get(".start"), specials.get(".end")
        self.pad = specials.get(".pad", 0)
        self.lengths = self.sizes - 1 + (self.start is not None) + (self.end is not None)
        self.usable = np.flatnonzero(self.lengths > 0)
        """The sequences that hold a target, in the text's order."""

    def batch(self, rows: np.ndarray) -> Batch:
        size, length = self.sizes[rows, None], self.lengths[rows, None]
        line = np.arange(int(length.max()) + 1)[None, :]
        place = line - (self.start is not None)
        inside = (place >= 0) & (place < size)
        tokens = np.full(inside.shape, self.pad, dtype=np.int64)
        tokens[inside] = self.ids[(self.starts[rows, None] + place)[inside]]
        if self.start is not None:
            tokens[:, 0] = self.start
        if self.end is not None:
            tokens[np.arange(len(rows)), length[:, 0]] = self.end
        counts = torch.from_numpy(line[:, :-1] < length)
        inputs = np.where(line[:, :-1] < length, tokens[:, :-1], self.pad)
        return Batch(as_tokens(inputs), as_tokens(tokens[:, 1:]), torch.ones(len(rows), dtype=torch.bool), counts)


def _cuts(lengths: np.ndarray, batch_size: int | None, max_tokens: int | None) -> np.ndarray:
    """Where to cut a list of row lengths into batches of at most so many rows, or tokens with padding."""
    cuts, begin, longest = [0], 0, 0
    for index, length in enumerate(lengths.tolist()):
        rows, longest = index - begin + 1, max(longest, length)
        if rows > 1 and ((batch_size and rows > batch_size) or (max_tokens and rows * longest > max_tokens)):
            cuts.append(index)
            begin, longest = index, length
    return np.array([*cuts, len(lengths)])


def _check_limits(batch_size: int | None, max_tokens: int | None) -> None:
    if not batch_size and not max_tokens:
        raise SettingError("Padded sequences have no limit", "batch_size or max_tokens, at least 1", "set one of them")


class Padded(Sampler):
    """Whole sequences, each once an epoch, those of like length together; the batches in random order.

    A batch has at most `batch_size` rows and at most `max_tokens` tokens, padding counted (either may be None).
    Which of several equally long sequences go together is drawn anew each epoch. A sequence without any target (one
    symbol, and no .start or .end) is left out, with a notice.
    """

    kind = "padded"

    def __init__(
        self,
        ids: np.ndarray,
        starts: np.ndarray,
        *,
        batch_size: int | None = None,
        max_tokens: int | None = None,
        specials: Mapping[str, int],
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        _check_limits(batch_size, max_tokens)
        self._sequences, self._rng = _Sequences(ids, starts, specials), rng
        usable = self._sequences.usable
        if len(usable) == 0:
            raise CorpusError("No sequence of the text holds two symbols", "something to predict", "give another text")
        if left_out := len(starts) - len(usable):
            notice(f"{left_out} sequences hold nothing to predict and are left out.")
        self._lengths = self._sequences.lengths[usable]
        longest = int(self._lengths.max())
        if max_tokens and longest > max_tokens:
            raise SettingError(
                f"The longest sequence has {longest} tokens, more than max_tokens {max_tokens}",
                f"max_tokens of at least {longest}",
                f"set max_tokens to {longest} or more, or split the text differently",
            )
        self._cuts = _cuts(np.sort(self._lengths), batch_size, max_tokens)
        self.steps_per_epoch = len(self._cuts) - 1
        self._begin_epoch()

    def _begin_epoch(self) -> None:
        self._rng_at_start = self._rng.bit_generator.state
        usable = self._sequences.usable
        self._rows = usable[np.lexsort((self._rng.permutation(len(usable)), self._lengths))]
        self._order = self._rng.permutation(self.steps_per_epoch)

    def __next__(self) -> Batch:
        step = self.steps % self.steps_per_epoch
        if step == 0 and self.steps > 0:
            self._begin_epoch()
        batch = self._order[step]
        self.steps += 1
        return self._sequences.batch(self._rows[self._cuts[batch] : self._cuts[batch + 1]])

    def state(self) -> dict[str, Any]:
        return super().state() | {"rng": self._rng_at_start}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._rng.bit_generator.state = state["rng"]
        self._begin_epoch()


def sequences_in_order(
    ids: np.ndarray,
    starts: np.ndarray,
    *,
    batch_size: int | None = None,
    max_tokens: int | None = None,
    specials: Mapping[str, int],
) -> Iterator[Batch]:
    """Every sequence that holds a target, once, in the text's order: for evaluation.

    The limits are those of `Padded`, but a sequence longer than `max_tokens` is a batch of its own.

    >>> batches = sequences_in_order(np.arange(5), np.array([0, 2]), batch_size=8, specials={})
    >>> [batch.tokens for batch in batches]
    [3]
    """
    _check_limits(batch_size, max_tokens)
    sequences = _Sequences(ids, starts, specials)
    cuts = _cuts(sequences.lengths[sequences.usable], batch_size, max_tokens)
    for begin, end in itertools.pairwise(cuts):
        if end > begin:
            yield sequences.batch(sequences.usable[begin:end])


def sequences_by_length(
    ids: np.ndarray, starts: np.ndarray, *, max_tokens: int, specials: Mapping[str, int]
) -> Iterator[tuple[np.ndarray, Batch]]:
    """The same, those of like length together, so that little is padding; with each batch its sequences' places.

    A place counts the sequences that hold a target, in the text's order.

    >>> found = sequences_by_length(np.arange(9), np.array([0, 5, 7]), max_tokens=4, specials={})
    >>> [(places.tolist(), batch.inputs.tolist()) for places, batch in found]
    [([1, 2], [[5], [7]]), ([0], [[0, 1, 2, 3]])]
    """
    sequences = _Sequences(ids, starts, specials)
    order = np.argsort(sequences.lengths[sequences.usable], kind="stable")
    for begin, end in itertools.pairwise(_cuts(sequences.lengths[sequences.usable][order], None, max_tokens)):
        if end > begin:
            yield order[begin:end], sequences.batch(sequences.usable[order[begin:end]])
