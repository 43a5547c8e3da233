"""What a formal language is here: a machine that writes a string one symbol at a time, with exact probabilities.

A language says where it begins, and, for each state, which symbols can follow, how probable each is, and into which
state it leads. Everything else follows from these two: samples, membership, the probability of every string, the
distribution of the next symbol after every prefix, and, where the states are finitely many, the exact entropy and the
strings of one length. Where they are not, a grammar of the language gives the latter.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property, lru_cache
from typing import ClassVar, TypeAlias

import numpy as np

from glassloom.data.languages.grammar import Grammar
from glassloom.data.languages.lengths import Lengths
from glassloom.data.languages.states import States
from glassloom.errors import InputError

State: TypeAlias = Hashable
Following: TypeAlias = dict[str, tuple[float, State]]
"""By symbol: its probability, and the state that it leads into."""

END = ".end"
"""Stands among the symbols for the end of the string."""


class Language(ABC):
    """A source of strings of which everything is known. A subclass defines `begin` and `following`.

    With infinitely many states it defines `entropy_nats` and `mean_length` too.
    """

    name: str
    definition: str
    """One sentence for people."""
    grammar: Grammar | None = None
    """Rules that write the same strings with the same probabilities, where the states have no end."""
    exact_entropy = True
    """Whether `entropy_nats` is the entropy; else it is the derivation's, which is at least as much."""
    remembered: ClassVar[int] = 100_000
    """For how many states what follows is kept."""

    @abstractmethod
    def begin(self) -> State:
        """The state before the first symbol."""

    @abstractmethod
    def following(self, state: State) -> Following:
        """What can come next; the probabilities sum to 1. END may lead into any state, which is never asked."""

    @cached_property
    def entropy_nats(self) -> float:
        """The entropy of the source in nats a string, end included: no model's mean loss can be lower."""
        return self._states.expected(lambda following: -sum(p * math.log(p) for p, _ in following.values() if p > 0))

    @cached_property
    def mean_length(self) -> float:
        """The mean number of symbols in a string, the end not counted."""
        return self._states.expected(lambda following: sum(p for symbol, (p, _) in following.items() if symbol != END))

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` strings drawn independently.

        >>> from glassloom.data.languages import LANGUAGES
        >>> LANGUAGES["brackets"].sample(3, np.random.default_rng(1))
        ['()', '()', '(()(()()())()()(((()()))))']
        """
        chances = chances_from(rng)
        return ["".join(self._draw(chances)) for _ in range(count)]

    def contains(self, string: str) -> bool:
        """Whether the source can produce this string."""
        return self.log_probability(string) > -math.inf

    def log_probability(self, string: str) -> float:
        """ln of the probability that the source produces exactly this string; -inf where it cannot."""
        total = 0.0
        for symbol, distribution in zip([*string, END], self.walk(string), strict=False):
            probability = distribution.get(symbol, 0.0)
            if probability == 0:
                return -math.inf
            total += math.log(probability)
        return total

    def next_distribution(self, prefix: str) -> dict[str, float]:
        """By symbol or END: the probability that it comes after `prefix`; empty where no string begins so.

        >>> from glassloom.data.languages import LANGUAGES
        >>> LANGUAGES["brackets"].next_distribution("(()")
        {'(': 0.4375, ')': 0.5625}
        """
        distributions = list(self.walk(prefix))
        return distributions[-1] if len(distributions) == len(prefix) + 1 else {}

    def walk(self, string: str) -> Iterator[dict[str, float]]:
        """`next_distribution` of every prefix, the empty one first and the whole string last.

        Stops after the distribution in which a symbol of the string is missing.
        """
        following = self._following(self.begin())
        yield {symbol: probability for symbol, (probability, _) in following.items()}
        for symbol in string:
            if symbol not in following:
                return
            following = self._following(following[symbol][1])
            yield {symbol: probability for symbol, (probability, _) in following.items()}

    def length_probabilities(self, longest: int) -> np.ndarray:
        """By length from 0 to `longest`: the probability that a string has it.

        >>> from glassloom.data.languages import LANGUAGES
        >>> LANGUAGES["ndfa"].length_probabilities(6).tolist()
        [0.0, 0.0, 0.25, 0.0, 0.0, 0.0, 0.1875]
        """
        if self.grammar is not None:
            return Lengths(self.grammar, longest).probabilities
        return self._states.endings(longest)[:, 0]

    def of_length(self, length: int, count: int, rng: np.random.Generator) -> list[str]:
        """`count` strings of exactly so many symbols, drawn as the source draws those of that length.

        Raises:
            InputError: the source has no string of that length.
        """
        if self.grammar is not None:
            lengths = Lengths(self.grammar, length)
            possible, draw = lengths.probabilities[length] > 0, lambda: lengths.draw(length, rng)
        else:
            endings = self._states.endings(length)
            possible, draw = endings[length, 0] > 0, lambda: self._states.draw(endings, rng)
        if not possible:
            raise no_such_length(self, length)
        return [draw() for _ in range(count)]

    @cached_property
    def _following(self) -> Callable[[State], Following]:
        return lru_cache(maxsize=self.remembered)(self.following)

    def _draw(self, chances: Iterator[float]) -> Iterator[str]:
        state = self.begin()
        while True:
            following = self._following(state)
            symbol = ""
            if len(following) == 1:
                (symbol,) = following
            else:
                left = next(chances)
                for symbol, (probability, _) in following.items():  # noqa: B007 - the last one stands for rounding
                    left -= probability
                    if left < 0:
                        break
            if symbol == END:
                return
            yield symbol
            state = following[symbol][1]

    @cached_property
    def _states(self) -> States:
        return States(self)


def no_such_length(language: Language, length: int) -> InputError:
    """The error for a length that no string has."""
    return InputError(
        f"The language {language.name} has no string of {length:,} symbols (or one too improbable to compute with)",
        "a length that length_probabilities gives a probability",
        "choose another length",
    )


def chances_from(rng: np.random.Generator) -> Iterator[float]:
    """Numbers from [0, 1), drawn in bulk because one at a time is slow."""
    while True:
        yield from rng.random(1024).tolist()
