"""Interpolated modified Kneser-Ney n-grams, for any order and vocabulary, counted with sorted arrays.

For a context h of k-1 tokens and a token w (Chen and Goodman 1999, section 3, equations 23 to 26):

    p_k(w | h) = (c(hw) - D(c(hw)) + G(h) p_{k-1}(w | h without its first token)) / sum over v of c(hv)
    G(h)       = sum over v of D(c(hv)), which is what the discounts set free
    p_0(w)     = 1 / vocabulary

At the highest order c(hw) is how often hw was seen; below it, after how many different tokens it was seen (an n-gram
that begins a sequence follows nothing, and keeps its plain count). The discounts D(1), D(2) and D(3 and more) of each
order come from how many of its n-grams have a count of 1, 2, 3 and 4. A context never seen leaves all to the shorter.

An n-gram's place is its index among the distinct n-grams of its order, sorted. It is found from the pair (place of its
first n-1 tokens, last token), packed into one integer: exact, no hashing, and within 64 bits at any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassloom.errors import SettingError, TokenizerError

Integers = NDArray[np.integer]
Floats = NDArray[np.float64]

CUSTOMARY_DISCOUNTS = (0.5, 1.0, 1.5)
"""For texts so small or so regular that the counts of counts yield none."""

TABLE = 1 << 26
"""Up to so many possible pairs of context and token are looked up in a table; beyond it they are sorted."""


@dataclass(frozen=True)
class Level:
    """What is known of one order: its n-grams by place, and its contexts by theirs (one order below)."""

    keys: Integers
    """Ascending: place of the context * (vocabulary + 1) + token."""
    counts: Integers
    discounts: Floats
    """By count: 0, D(1), D(2), D(3 and more)."""
    totals: Floats
    """By context: the sum of its counts; 0 where nothing followed it."""
    freed: Floats
    """By context: G."""


@dataclass(frozen=True)
class KneserNey:
    """An n-gram model of a text, trained once.

    >>> model = KneserNey.fit(np.array([0, 1, 0, 1, 0, 2]), vocabulary=3, order=2)
    >>> round(float(model.probabilities([0]).sum()), 12)
    1.0
    >>> model.nats(np.array([0, 1])).shape
    (2,)
    """

    vocabulary: int
    order: int
    levels: tuple[Level, ...]

    @classmethod
    def fit(cls, ids: Integers, vocabulary: int, order: int = 5, starts: Integers | None = None) -> "KneserNey":
        """Count a text of ids below `vocabulary`.

        `starts` says where sequences begin, and no n-gram crosses a beginning; without it the text is one stream.
        Raises SettingError for an order below 1, TokenizerError for an id beyond the vocabulary.
        """
        if order < 1:
            raise SettingError(f"There is no n-gram of order {order}", "an order of at least 1", "use order 5")
        first = np.zeros(min(1, len(ids)), dtype=np.int64)
        tokens = _with_borders(ids, first if starts is None else starts, vocabulary)
        radix = vocabulary + 1  # the border is a token too, of contexts only
        is_token = tokens < vocabulary
        levels = []
        contexts = 1
        keys: Integers = np.arange(radix)
        places: Integers = tokens  # of the n-gram that ends at each position; -1 where a border lies within
        for k in range(1, order + 1):
            if k < order:
                ends = np.flatnonzero(is_token[1:] & (places[:-1] >= 0)) + 1
                pairs = places[ends - 1].astype(np.int64) * radix + tokens[ends]
                longer_keys, found, example = _distinct(pairs, len(keys) * radix)
                longer_places = np.full(len(tokens), -1, dtype=np.int32)
                longer_places[ends] = found
                follows = places[ends[example]]
                begins = places[is_token & (places >= 0) & (longer_places < 0)]
                counted = np.concatenate((follows, begins))
                del ends, pairs, found, example
            else:
                counted = places[is_token & (places >= 0)]
            levels.append(_level(keys, np.bincount(counted, minlength=len(keys)), contexts, radix))
            if k < order:
                contexts, keys, places = len(keys), longer_keys, longer_places
        return cls(vocabulary, order, tuple(levels))

    def nats(self, ids: Integers, starts: Integers | None = None) -> Floats:
        """-ln p of every token, given those before it; the same length as `ids`.

        `starts` says where sequences begin; without it the ids are a piece of a stream, and the first has no context.
        """
        tokens = _with_borders(ids, np.zeros(0, dtype=np.int64) if starts is None else starts, self.vocabulary)
        probability = np.full(len(tokens), 1 / self.vocabulary)
        for level, contexts, places in self._places(tokens):
            counts = np.where(places >= 0, level.counts[places], 0)
            totals = np.where(contexts >= 0, level.totals[contexts], 0.0)
            shares = counts - level.discounts[np.minimum(counts, 3)] + level.freed[contexts] * probability
            np.divide(shares, totals, out=probability, where=totals > 0)
        nats: Floats = -np.log(probability[tokens < self.vocabulary])
        return nats

    def probabilities(self, context: Sequence[int] | Integers, begins: bool = False) -> Floats:
        """The distribution of the next token, over the whole vocabulary.

        With `begins` the context starts at the beginning of a sequence, and may be empty.
        """
        ids = np.asarray(context, dtype=np.int64)
        recent = ids[max(0, len(ids) - self.order + 1) :]
        border = np.zeros(1 if begins and len(ids) < self.order - 1 else 0, dtype=np.int64)
        tokens = _with_borders(recent, border, self.vocabulary)
        tokens = np.append(tokens, self.vocabulary)  # stands where the next token will; its contexts are what counts
        probability = np.full(self.vocabulary, 1 / self.vocabulary)
        for level, contexts, _ in self._places(tokens):
            here = contexts[-1]
            if here < 0 or level.totals[here] == 0:
                continue
            radix = self.vocabulary + 1
            low, high = np.searchsorted(level.keys, [here * radix, here * radix + self.vocabulary])
            counts = level.counts[low:high]
            probability *= level.freed[here]
            probability[level.keys[low:high] - here * radix] += counts - level.discounts[np.minimum(counts, 3)]
            probability /= level.totals[here]
        return probability

    def _places(self, tokens: Integers) -> list[tuple[Level, Integers, Integers]]:
        """For each order: the place of each position's context and of its n-gram, -1 where that was never seen."""
        found: list[tuple[Level, Integers, Integers]] = []
        contexts: Integers = np.zeros(len(tokens), dtype=np.int64)
        for level in self.levels:
            if not len(level.keys):
                break  # the text was shorter than the order; nothing longer was seen either
            places = _find(level.keys, contexts * (self.vocabulary + 1) + tokens)
            found.append((level, contexts, places))
            contexts = np.concatenate(([-1], places[:-1]))
        return found


def _with_borders(ids: Integers, starts: Integers, vocabulary: int) -> Integers:
    """The ids with a border token, `vocabulary`, before every sequence."""
    if len(ids) and int(ids.max()) >= vocabulary:
        raise TokenizerError(
            f"The id {int(ids.max())} lies beyond the vocabulary",
            f"ids from 0 to {vocabulary - 1}",
            "encode the text with the tokenizer that the baselines were counted with",
        )
    return np.insert(np.asarray(ids, dtype=np.int32), starts, vocabulary)


def _distinct(pairs: Integers, possible: int) -> tuple[Integers, Integers, Integers]:
    """The distinct pairs, sorted; for each pair its place among them; for each distinct pair an index of it."""
    if possible <= TABLE:
        seen = np.zeros(possible, dtype=bool)
        seen[pairs] = True
        keys: Integers = np.flatnonzero(seen)
        table = np.empty(possible, dtype=np.int32)
        table[keys] = np.arange(len(keys), dtype=np.int32)
        places = table[pairs]
    else:
        order = np.argsort(pairs)
        ordered = pairs[order]
        is_new = np.ones(len(pairs), dtype=bool)
        np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:])
        keys = ordered[is_new]
        places = np.empty(len(pairs), dtype=np.int32)
        places[order] = np.cumsum(is_new, dtype=np.int32) - 1
    example = np.empty(len(keys), dtype=np.int64)
    example[places] = np.arange(len(pairs))
    return keys, places, example


def _find(keys: Integers, wanted: Integers) -> Integers:
    """The index of each wanted key, -1 where it is not among the ascending keys."""
    index = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[index] == wanted, index, -1)


def _level(keys: Integers, counts: Integers, contexts: int, radix: int) -> Level:
    discounts = _discounts(counts)
    context = keys // radix
    totals: Floats = np.bincount(context, weights=counts, minlength=contexts).astype(np.float64)
    freed: Floats = np.bincount(context, weights=discounts[np.minimum(counts, 3)], minlength=contexts).astype(
        np.float64
    )
    return Level(keys, counts.astype(np.int32), discounts, totals, freed)


def _discounts(counts: Integers) -> Floats:
    """0, D(1), D(2), D(3 and more): Chen and Goodman's equation 26, with Y = n1 / (n1 + 2 n2).

    Where that gives a discount of nothing or of more than the count, plain Kneser-Ney's Y stands for all three; where
    n1 or n2 is zero, the customary values do.
    """
    n1, n2, n3, n4 = np.bincount(np.clip(counts, 0, 5), minlength=6)[1:5].tolist()
    if not n1 or not n2:
        return np.array([0.0, *CUSTOMARY_DISCOUNTS])
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3 if n3 else 0.0)
    sound = all(0 < discount <= count for count, discount in enumerate(found, start=1))
    return np.array([0.0, *(found if sound else (y, y, y))])
