"""What a model of a formal language writes, held against the language: which of its strings are in it, and how long.

A sample is the string that was written, or None where it is none: the limit came before `.end`, or a mark such as .pad
stands in it. Sampling is `glassloom.generation`'s; here it is only judged.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.data.languages import END, Language

Sample = str | None
TIE = 1e-9
"""Probabilities nearer than this are equal: either symbol is the most probable one."""


@dataclass(frozen=True)
class Share:
    """How many of some samples are in the language; `low` to `high` are their lengths."""

    low: int
    high: int
    count: int
    valid: int

    @property
    def share(self) -> float:
        """Between 0 and 1; NaN for no sample."""
        return self.valid / self.count if self.count else math.nan


@dataclass(frozen=True)
class Validity:
    """How many of a model's samples are in the language."""

    count: int
    valid: int
    unfinished: int
    """Those that are no string: no end within the limit, or a mark in it."""
    by_length: tuple[Share, ...]
    """Of the strings, in classes of length that double."""
    wrong: tuple[str, ...]
    """The shortest of those that are not in the language."""

    @property
    def share(self) -> float:
        """Of all samples."""
        return self.valid / self.count

    @property
    def error(self) -> float:
        """The standard error of the share, as if one more sample of each kind had been seen (so never zero)."""
        share = (self.valid + 1) / (self.count + 2)
        return math.sqrt(share * (1 - share) / self.count)


def validity(language: Language, samples: Sequence[Sample], *, shown: int = 10) -> Validity:
    """Judge samples.

    >>> from glassloom.data.languages import LANGUAGES
    >>> found = validity(LANGUAGES["brackets"], ["()", "(()", "(())", None])
    >>> found.share, found.unfinished, found.wrong
    (0.5, 1, ('(()',))
    """
    strings = [sample for sample in samples if sample is not None]
    held = {string: language.contains(string) for string in dict.fromkeys(strings)}
    classes: dict[int, list[bool]] = {}
    for string in strings:
        classes.setdefault(len(string).bit_length(), []).append(held[string])
    by_length = tuple(
        Share(2 ** (bits - 1) if bits else 0, 2**bits - 1, len(inside), sum(inside))
        for bits, inside in sorted(classes.items())
    )
    wrong = sorted((string for string, inside in held.items() if not inside), key=lambda string: (len(string), string))
    return Validity(
        len(samples), sum(held[string] for string in strings), len(samples) - len(strings), by_length,
        tuple(wrong[:shown]),
    )  # fmt: skip


@dataclass(frozen=True)
class LengthHistogram:
    """Shares of strings by class of length, from `edges[i]` to below `edges[i + 1]`; the last class has all beyond."""

    edges: tuple[int, ...]
    exact: tuple[float, ...]
    written: tuple[float, ...]
    """Of all samples; what is missing from 1 are those that are no strings."""

    @property
    def distance(self) -> float:
        """Total variation: half the sum of the differences, what is unfinished counted as a class of its own."""
        missing = 1 - sum(self.written)
        return (sum(abs(a - b) for a, b in zip(self.exact, self.written, strict=True)) + missing) / 2


def length_histogram(language: Language, samples: Sequence[Sample], *, classes: int = 16) -> LengthHistogram:
    """The lengths of samples against the exact probabilities, in classes of about equal probability.

    >>> from glassloom.data.languages import LANGUAGES
    >>> found = length_histogram(LANGUAGES["ndfa"], ["ss", "ss", "sabc!s", None], classes=2)
    >>> found.edges, found.exact, found.written
    ((0, 11), (0.578125, 0.421875), (0.75, 0.0))
    """
    longest = 16
    while (exact := language.length_probabilities(longest)).sum() < 0.995:
        longest *= 2
    sums = np.cumsum(exact)
    edges = [0]
    for part in range(1, classes):
        edge = int(np.searchsorted(sums, part / classes, side="left")) + 1
        if edge > edges[-1] and sums[edge - 1] < 0.995:
            edges.append(edge)
    inner = [float(exact[low:high].sum()) for low, high in itertools.pairwise(edges)]
    lengths = np.array([len(sample) for sample in samples if sample is not None])
    counts = np.histogram(lengths, [*edges, max(longest, int(lengths.max(initial=0))) + 1])[0]
    return LengthHistogram(
        tuple(edges), (*inner, 1 - sum(inner)), tuple(float(count) / len(samples) for count in counts)
    )


@dataclass(frozen=True)
class MostProbable:
    """Whether a text takes a most probable symbol at every place, as the true source at temperature 0 would."""

    text: str
    agrees: bool
    differs_at: int | None
    """The first place where it does not; len(text) is the end."""
    expected: tuple[str, ...]
    """What would be most probable there (END for the end); where it agrees, after its last symbol."""


def most_probable(language: Language, text: str, *, prompt: str = "", ended: bool = True) -> MostProbable:
    """Judge a text that a model wrote at temperature 0 after a prompt; `ended` says whether it went on to the end.

    A correct model of ndfa never stops (3/4 to go on, 1/4 to stop), and one of brackets closes what is open:

    >>> from glassloom.data.languages import LANGUAGES
    >>> most_probable(LANGUAGES["brackets"], ")", prompt="(()").agrees
    True
    >>> most_probable(LANGUAGES["ndfa"], "sabc!s")
    MostProbable(text='sabc!s', agrees=False, differs_at=5, expected=('a',))
    """
    written = [*text, END] if ended else list(text)
    best: tuple[str, ...] = ()
    for place, distribution in enumerate(list(language.walk(prompt + text))[len(prompt) :]):
        top = max(distribution.values())
        best = tuple(symbol for symbol, probability in distribution.items() if probability > top - TIE)
        if place < len(written) and written[place] not in best:
            return MostProbable(text, False, place, best)
    return MostProbable(text, True, None, best)
