"""The memorisation meter: how much of what a model wrote stands word for word in the text it was trained on, and where.

    longest copy    the longest stretch of a sample that stands in train
    share copied    the share of its symbols that lie in stretches of at least `at_least` symbols that stand in train

Symbols are characters; for a word tokenizer, which does not give the text back, words. Exact: see `copies`. What is no
more than the language's own phrases is told by held-out text, of which as many stretches of the same length are looked
at alike; `by_chance` is what two texts of unrelated symbols with train's frequencies would share: about
ln(n m) / -ln(sum of p^2) symbols (Arratia and Waterman 1985).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.data.corpus import Corpus
from glassloom.exhibits import Column, Exhibit, Table, Text, Texts, Value
from glassloom.views.copies import Matches, Substrings
from glassloom.views.training_text import symbols_of, train_pieces, unit_of

AT_LEAST = {"characters": 30, "words": 8}
"""Stretches from this length on count as copied. Of 20 stretches of 200 characters from WikiText-2's held-out text, the
longest that stands in its train (10.8 million characters) has 35, most have less than 26."""


@dataclass(frozen=True)
class Stretch:
    """Symbols `start` to `end` of a sample, and the first place in train (in symbols) that is like it."""

    start: int
    end: int
    place: int


@dataclass(frozen=True)
class Copied:
    """What of one sample stands in train. `stretches` are those of at least `at_least`, none within another."""

    length: int
    longest: Stretch | None
    stretches: tuple[Stretch, ...]
    covered: int
    """How many symbols lie in such stretches."""

    @property
    def longest_copy(self) -> int:
        """The length of the longest copy."""
        return 0 if self.longest is None else self.longest.end - self.longest.start

    @property
    def share(self) -> float:
        """The share of the sample that is copied."""
        return self.covered / self.length if self.length else 0.0


@dataclass(frozen=True)
class Memorised:
    """Several samples against train: `unit` is `characters` or `words`, `symbols` how many of them were searched."""

    unit: str
    at_least: int
    symbols: int
    whole: bool
    """Whether that is all of train, not only its beginning."""
    by_chance: float
    samples: tuple[Copied, ...]

    @property
    def searched(self) -> str:
        """What was searched, in words."""
        return (
            f"train ({self.symbols:,} {self.unit})"
            if self.whole
            else f"the first {self.symbols:,} {self.unit} of train"
        )

    @property
    def longest_copy(self) -> int:
        """The longest copy of all samples."""
        return max((sample.longest_copy for sample in self.samples), default=0)

    @property
    def share(self) -> float:
        """The share of all samples together that is copied."""
        length = sum(sample.length for sample in self.samples)
        return sum(sample.covered for sample in self.samples) / length if length else 0.0


def memorised(
    texts: Sequence[str], corpus: Corpus, *, at_least: int | None = None, most_tokens: int | None = None
) -> Memorised:
    """What of these texts stands in the corpus's train split (in its first `most_tokens` tokens, where that is given).

    >>> from glassloom.data import load_text
    >>> corpus = load_text("the cat sat on the mat. " * 30)
    >>> found = memorised(["a cat sat on a hat"], corpus, at_least=8)
    >>> found.longest_copy, round(found.share, 3)
    (12, 0.667)
    """
    unit = unit_of(corpus.tokenizer)
    at_least = AT_LEAST[unit] if at_least is None else at_least
    known = Substrings([symbols_of(text, corpus.tokenizer) for text in texts])
    counts, symbols = np.zeros(1, dtype=np.int64), 0
    for piece in train_pieces(corpus, known.longest, most_tokens):
        known.pass_by(piece)
        here = np.bincount(piece.symbols[: piece.own])
        counts = np.pad(counts, (0, max(0, len(here) - len(counts))))
        counts[: len(here)] += here
        symbols = piece.begin + piece.own
    chances = counts[counts > 0] / counts.sum()
    alike, compared = float((chances**2).sum()), symbols * sum(known.sizes)
    by_chance = math.log(compared) / -math.log(alike) if compared and alike < 1 else math.inf
    samples = tuple(copied(found, at_least) for found in known.matches())
    whole = most_tokens is None or most_tokens >= corpus.train.tokens
    return Memorised(unit, at_least, symbols, whole, by_chance, samples)


def copied(found: Matches, at_least: int) -> Copied:
    """One sample's stretches from its longest matches."""
    lengths, places = found.lengths, found.places
    if not len(lengths):
        return Copied(0, None, (), 0)
    starts = np.arange(len(lengths))
    longest = int(lengths.argmax())
    within = np.concatenate([[False], lengths[1:] < lengths[:-1]])  # a match that goes on ends where it ended
    kept = np.flatnonzero((lengths >= at_least) & ~within)
    stretches = tuple(Stretch(int(at), int(at + lengths[at]), int(places[at])) for at in kept)
    ends = np.where(lengths >= at_least, starts + lengths, 0)
    covered = int((np.maximum.accumulate(ends) > starts).sum())
    best = Stretch(longest, longest + int(lengths[longest]), int(places[longest])) if lengths[longest] else None
    return Copied(len(lengths), best, stretches, covered)


def spans_of(text: str, unit: str) -> list[tuple[int, int]]:
    """Where each symbol stands in a text."""
    if unit == "characters":
        return [(at, at + 1) for at in range(len(text))]
    return [found.span() for found in re.finditer(r"\n|[^\s]+", text)]


def span_of(text: str, stretch: Stretch, unit: str) -> tuple[int, int]:
    """Where a stretch stands in a text."""
    spans = spans_of(text, unit)
    return spans[stretch.start][0], spans[stretch.end - 1][1]


def marked(text: str, sample: Copied, unit: str) -> tuple[tuple[int, int], ...]:
    """A sample's copied stretches as places in its text, those that touch joined."""
    joined: list[tuple[int, int]] = []
    for start, end in (span_of(text, stretch, unit) for stretch in sample.stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return tuple(joined)


def beside(label: str, text: str, sample: Copied, unit: str, prompt: str = "") -> Text:
    """One sample with its copied stretches marked, how long the longest copy is, and where it stands."""
    remark = "nothing of it stands in train"
    if sample.longest is not None:
        place = f"{unit[:-1]} {sample.longest.place + 1:,}"
        remark = f"longest copy {sample.longest_copy} {unit}, as in train from {place} on; {sample.share:.0%} copied"
    return Text(label=label, prompt=prompt, text=text, note=remark, marked=marked(text, sample, unit))


def longest_of(text: str, sample: Copied, unit: str) -> tuple[str, int, int | None]:
    """The longest copy of a sample, how long it is, and where it stands in train (from 1); of none, a dash and 0."""
    if sample.longest is None:
        return "–", 0, None
    return text[slice(*span_of(text, sample.longest, unit))], sample.longest_copy, sample.longest.place + 1


def memorised_exhibits(texts: Mapping[str, str], found: Memorised) -> list[Exhibit]:
    """Texts by label with what stands in train marked, and a table of these stretches: which, how long, and where."""
    pairs = list(zip(texts.items(), found.samples, strict=True))
    rows: list[tuple[Value, ...]] = [
        (label, text[slice(*span)], stretch.end - stretch.start, stretch.place + 1)
        for (label, text), sample in pairs
        for stretch in sample.stretches
        for span in [span_of(text, stretch, found.unit)]
    ]
    none = ""
    if not rows:
        none = " There is none: the longest that stands there is shown."
        rows = [(label, *longest_of(text, sample, found.unit)) for (label, text), sample in pairs]
    choice = f"Stretches of at least {found.at_least} {found.unit} that stand word for word in {found.searched}."
    return [
        Texts(name="copied-texts", title="What stands in the training text", caption=choice,
              texts=tuple(beside(label, text, sample, found.unit) for (label, text), sample in pairs)),
        Table(name="copied-stretches", title="Copied stretches",
              caption=f"{choice}{none} Where: the first place in train.",
              columns=(Column("text", numeric=False), Column("stretch", numeric=False), Column(found.unit, ","),
                       Column(f"from {found.unit[:-1]}", ",")), rows=tuple(rows)),
    ]  # fmt: skip
