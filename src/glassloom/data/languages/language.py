"""What a formal language is here: a machine that writes a string one symbol at a time, with exact probabilities.

A language says where it begins, and, for each state, which symbols can follow, how probable each is, and into which
state it leads. Everything else follows from these two: samples, membership, the probability of every string, the
distribution of the next symbol after every prefix, and, where the states are finitely many, the exact entropy.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from functools import cached_property, lru_cache
from typing import ClassVar, TypeAlias

import numpy as np

from glassloom.errors import InputError

State: TypeAlias = Hashable
Following: TypeAlias = dict[str, tuple[float, State]]
"""By symbol: its probability, and the state that it leads into."""

END = ".end"
"""Stands among the symbols for the end of the string."""

MOST_STATES = 2_000
"""Up to so many states `entropy_nats` and `mean_length` solve for by themselves."""


class Language(ABC):
    """A source of strings of which everything is known. A subclass defines `begin` and `following`.

    With infinitely many states it defines `entropy_nats` and `mean_length` too.
    """

    name: ClassVar[str]
    definition: ClassVar[str]
    """One sentence for people."""

    @abstractmethod
    def begin(self) -> State:
        """The state before the first symbol."""

    @abstractmethod
    def following(self, state: State) -> Following:
        """What can come next; the probabilities sum to 1. END may lead into any state, which is never asked."""

    @cached_property
    def entropy_nats(self) -> float:
        """The entropy of the source in nats a string, end included: no model's mean loss can be lower."""
        return self._expected(lambda following: -sum(p * math.log(p) for p, _ in following.values() if p > 0))

    @cached_property
    def mean_length(self) -> float:
        """The mean number of symbols in a string, the end not counted."""
        return self._expected(lambda following: sum(p for symbol, (p, _) in following.items() if symbol != END))

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

    @cached_property
    def _following(self) -> Callable[[State], Following]:
        return lru_cache(maxsize=100_000)(self.following)

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

    def _expected(self, cost: Callable[[Following], float]) -> float:
        """The expected sum of the costs of all states on the way: x = cost + P x, solved for the first state."""
        number = {self.begin(): 0}
        waiting = [self.begin()]
        rows: list[Following] = []
        for state in waiting:  # grows while it is read: every state that can be reached, breadth first
            rows.append(self.following(state))
            for symbol, (_, after) in rows[-1].items():
                if symbol != END and after not in number:
                    number[after] = len(number)
                    waiting.append(after)
            if len(number) > MOST_STATES:
                raise InputError(
                    f"The language {self.name} has more than {MOST_STATES} states",
                    "finitely many, to solve for its entropy and mean length",
                    "define entropy_nats and mean_length in its class",
                )
        moves = np.zeros((len(number), len(number)))
        for here, following in enumerate(rows):
            for symbol, (probability, after) in following.items():
                if symbol != END:
                    moves[here, number[after]] += probability
        costs = np.array([cost(following) for following in rows])
        return float(np.linalg.solve(np.eye(len(number)) - moves, costs)[0])


def chances_from(rng: np.random.Generator) -> Iterator[float]:
    """Numbers from [0, 1), drawn in bulk because one at a time is slow."""
    while True:
        yield from rng.random(1024).tolist()
