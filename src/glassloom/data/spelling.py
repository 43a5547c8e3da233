"""What it costs to spell the symbols that a vocabulary lacks, so that bits per character are a code of the whole text.

A word that is not in the vocabulary becomes `<unk>`, and a model that says `<unk>` has not said which word it was. In
bits per character, and per byte, each such word is therefore charged its spelling as well:

    cost(c_1 ... c_n) = - sum over i = 1 .. n+1 of ln p(c_i | up to ORDER - 1 characters before it),   c_{n+1} the end

with p a modified Kneser-Ney model (`baselines.kneser_ney`) over all of Unicode and the end, whose last resort is
uniform, so that a character never seen in training has its price too. It is counted on the words of the vocabulary,
each once and each begun anew; these come from the training text alone. All p( . | context) sum to 1, so the
probabilities of all spellings sum to at most 1: token losses and spellings together are the length of a code from
which the text can be read back. Nats per token and perplexity stay as they are: there `<unk>` is one token.

A text that says `<unk>` itself, as Penn Treebank's does, has lost nothing by it: where a split has no other word that
the vocabulary lacks, nothing is charged. Where it has one, a written `<unk>` is spelt like any other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassloom.data.tokenizers.base import Ids, Tokenizer, code_points

ORDER = 4
"""Of the n-grams of characters: the next one given three."""
UNKNOWN = ("<unk>", ".unk")
"""The marks that stand for a symbol without saying which."""
END = 0x110000
"""Follows a word's last character; no character has that number."""


@dataclass(frozen=True)
class Spelling:
    """How many tokens of a split stand for symbols that the vocabulary lacks, and what their spellings cost in nats."""

    tokens: int = 0
    nats: float = 0.0

    def of(self, ids: Ids, tokenizer: Tokenizer) -> float:
        """What the spellings within a part of the split cost: in proportion to how many stand in it."""
        if not self.tokens:
            return 0.0
        marks = [tokenizer.specials[mark] for mark in UNKNOWN if mark in tokenizer.specials]
        return self.nats * int(np.isin(ids, marks).sum()) / self.tokens


NOTHING = Spelling()
"""Every word is in the vocabulary."""


class Speller:
    """The code for words that a vocabulary lacks, counted on those that it has.

    >>> speller = Speller(["anna", "hanna", "nan"])
    >>> bool(speller.nats(["hanan"])[0] < speller.nats(["xqzjk"])[0])
    True
    """

    def __init__(self, words: Sequence[str]) -> None:
        from glassloom.data.baselines.kneser_ney import KneserNey  # its package reads corpora, which know spellings

        ids, starts = symbols(words)
        self._model = KneserNey.fit(ids, END + 1, ORDER, starts)

    def nats(self, words: Sequence[str]) -> NDArray[np.float64]:
        """What each word costs, its end included."""
        if not words:
            return np.zeros(0)
        ids, starts = symbols(words)
        costs: NDArray[np.float64] = np.add.reduceat(self._model.nats(ids, starts), starts)
        return costs


def symbols(words: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The characters of words and their ends as one array, and where each word begins in it."""
    ids = [np.append(code_points(word).astype(np.int64), END) for word in words]
    starts = np.cumsum([0, *map(len, ids)], dtype=np.int64)[:-1]
    return np.concatenate(ids) if ids else np.zeros(0, dtype=np.int64), starts


class Ledger:
    """Adds up what a split's symbols outside the vocabulary cost, piece by piece."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._marks = [tokenizer.specials[mark] for mark in UNKNOWN if mark in tokenizer.specials]
        self._speller: Speller | None = None
        self._is_lossy = False
        self._tokens, self._nats = 0, 0.0

    def add(self, text: str, ids: Ids) -> None:
        """Charge a piece of the text that was encoded by itself, as these ids."""
        if not any((ids == mark).any() for mark in self._marks):
            return
        lacking: Counter[str] = self._tokenizer.unspelt(text)
        if self._speller is None:
            self._speller = Speller(self._tokenizer.spellings())
        self._is_lossy |= any(symbol not in self._tokenizer.specials for symbol in lacking)
        counts = np.array(list(lacking.values()))
        self._tokens += int(counts.sum())
        self._nats += float((self._speller.nats(list(lacking)) * counts).sum())

    def total(self) -> Spelling:
        """What was charged; nothing where the text itself says `<unk>` and the vocabulary lacks no other word."""
        return Spelling(self._tokens, self._nats) if self._is_lossy else NOTHING
