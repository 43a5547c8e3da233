"""The longest stretch of a text that begins at each place of some samples: exact, in one pass, in bounded memory.

The samples' substrings are numbered by length: those of length n + 1 follow from those of length n and one more symbol,
so (number, next symbol) -> number is a table, as in a suffix tree read level by level. The text streams past: all its
places begin as the empty substring and take one symbol after the other, together, those that leave the samples'
substrings dropping out. So nothing is hashed, the text is never held, and a symbol costs as many steps as it goes on
being a substring of some sample (some five on average).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.integer]
DENSE = 1 << 22
"""A table of at most so many entries is indexed; a larger one is searched."""


@dataclass(frozen=True)
class Piece:
    """A stretch of the text: matches may begin at the first `own` of its symbols, and go on into the rest.

    `begin` is the place of its first symbol in the whole text.
    """

    begin: int
    symbols: Integers
    own: int


@dataclass(frozen=True)
class Matches:
    """For each place of one sample: how long a stretch from there stands in the text, and where it stands.

    A length of 0 stands nowhere: its place is -1.
    """

    lengths: Integers
    places: Integers


@dataclass
class Level:
    """Substrings of length n: the number of each sample place's own, and how they go on."""

    numbers: Integers
    """By place of the samples laid end to end; -1 where the sample ends before n symbols."""
    found: Integers
    """By number: where the text has it; -1 where it was not seen."""
    keys: Integers
    """Ascending: number * radix + next symbol; the index of each is the number of the longer substring."""
    dense: bool
    size: int

    @cached_property
    def table(self) -> Integers:
        """The number of the longer substring by key; -1 for none."""
        table = np.full(self.size, -1, dtype=np.int32)
        table[self.keys] = np.arange(len(self.keys), dtype=np.int32)
        return table

    def follow(self, keys: Integers) -> Integers:
        """The number of the substring of length n + 1 for each key; -1 for none."""
        if self.dense:
            return np.take(self.table, keys)
        index = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[index] == keys, index, -1).astype(np.int32)


class Substrings:
    """All substrings of some samples, and where a text that streams past has them."""

    def __init__(self, samples: Sequence[Integers]) -> None:
        self.sizes = [len(sample) for sample in samples]
        self.longest = max(self.sizes, default=0)
        line = np.concatenate([np.asarray(sample, dtype=np.int64) for sample in samples] or [np.zeros(0, np.int64)])
        self._left = np.concatenate([np.arange(size, 0, -1) for size in self.sizes] or [np.zeros(0, np.int64)])
        symbols = np.unique(line)
        self._radix = len(symbols) + 1
        self._codes = np.zeros(int(symbols[-1]) + 2 if len(symbols) else 1, dtype=np.int32)
        self._codes[symbols] = np.arange(1, self._radix)
        self._line = self._codes[line]
        self._levels = [self._level(0, np.zeros(len(line), dtype=np.int64), 1)]

    def _level(self, length: int, numbers: Integers, count: int) -> Level:
        goes_on = np.flatnonzero(self._left > length)
        keys = np.unique(numbers[goes_on] * self._radix + self._line[goes_on + length])
        size = count * self._radix
        return Level(numbers, np.full(count, -1, dtype=np.int64), keys, size <= DENSE, size)

    def _deeper(self) -> None:
        """Number the substrings that are one symbol longer than the longest ones numbered so far."""
        last, length = self._levels[-1], len(self._levels) - 1
        goes_on = np.flatnonzero(self._left > length)
        numbers = np.full(len(self._line), -1, dtype=np.int64)
        numbers[goes_on] = np.searchsorted(
            last.keys, last.numbers[goes_on] * self._radix + self._line[goes_on + length]
        )
        self._levels.append(self._level(length + 1, numbers, len(last.keys)))

    def pass_by(self, piece: Piece) -> None:
        """Note what a piece of the text has of the samples."""
        symbols = piece.symbols.astype(np.int32, copy=False)  # uint8 could not be compared with 256
        codes = np.zeros(len(piece.symbols) + self.longest + 1, dtype=np.int32)
        codes[: len(piece.symbols)] = self._codes[np.minimum(symbols, len(self._codes) - 1)]
        places = np.arange(piece.own, dtype=np.int32)
        numbers = np.zeros(piece.own, dtype=np.int32 if self._line.size * self._radix < 2**31 else np.int64)
        length = 0
        while len(places) and length < self.longest:
            level = self._levels[length]
            keys: Integers = np.add(numbers * self._radix, codes[length:][places])
            after = level.follow(keys)
            going = np.flatnonzero(after >= 0)
            if not len(going):
                return
            places, numbers = places[going], after[going].astype(numbers.dtype, copy=False)
            length += 1
            if len(self._levels) == length:
                self._deeper()
            found = self._levels[length].found
            if found.min() < 0:
                found[numbers] = piece.begin + places.astype(np.int64)

    def matches(self) -> list[Matches]:
        """For each sample, what the text that has passed by has of it."""
        lengths = np.zeros(len(self._line), dtype=np.int64)
        places = np.full(len(self._line), -1, dtype=np.int64)
        for length, level in enumerate(self._levels[1:], start=1):
            has = np.flatnonzero(level.numbers >= 0)
            where = level.found[level.numbers[has]]
            lengths[has[where >= 0]], places[has[where >= 0]] = length, where[where >= 0]
        ends = np.cumsum(self.sizes).tolist()
        spans = zip([0, *ends], ends, strict=False)
        return [Matches(lengths[first:last], places[first:last]) for first, last in spans]


def longest_matches(samples: Sequence[Integers], text: Iterable[Piece]) -> list[Matches]:
    """For each place of each sample, the longest stretch from there that stands in the text, and where.

    >>> [found] = longest_matches([np.array([1, 2, 3, 9])], [Piece(0, np.array([7, 2, 3, 1, 2]), 5)])
    >>> found.lengths.tolist(), found.places.tolist()
    ([2, 2, 1, 0], [3, 1, 2, -1])
    """
    known = Substrings(samples)
    for piece in text:
        known.pass_by(piece)
    return known.matches()
