"""A probabilistic context-free grammar: rewriting, and what can be expected of it.

A symbol that has rules is rewritten by one of them, drawn by their probabilities; any other symbol is written as it is.
What is expected of a derivation from a symbol is the expected cost of its rule plus what is expected of the symbols in
it: one linear equation a symbol, solved exactly. A grammar may put a separator between the words that it writes.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Rule = tuple[float, tuple[str, ...]]
"""How probable, and what it writes: symbols with rules of their own, and words."""


@dataclass(frozen=True)
class Grammar:
    """Rules by symbol, the first symbol being the start; the probabilities of a symbol's rules sum to 1.

    >>> coins = Grammar({"S": ((0.5, ("heads",)), (0.5, ("tails", "S")))}, separator=" ")
    >>> coins.string(iter([0.9, 0.1]))
    'tails heads'
    >>> float(coins.expected(lambda probability: 1.0))  # choices made in a derivation
    2.0
    """

    rules: Mapping[str, Sequence[Rule]]
    separator: str = ""

    @classmethod
    def uniform(cls, rules: Mapping[str, Sequence[str]], separator: str = "") -> "Grammar":
        """All rules of a symbol equally probable, each written as symbols with spaces between."""
        return cls(
            {symbol: tuple((1 / len(options), tuple(option.split())) for option in options)
             for symbol, options in rules.items()},
            separator,
        )  # fmt: skip

    @property
    def start(self) -> str:
        """Where every derivation begins."""
        return next(iter(self.rules))

    def derive(self, chances: Iterator[float]) -> tuple[list[str], float]:
        """One derivation's words, from left to right, and ln of its probability; `chances` are from [0, 1)."""
        waiting, words, total = [self.start], [], 0.0
        while waiting:
            symbol = waiting.pop()
            options = self.rules.get(symbol)
            if options is None:
                words.append(symbol)
                continue
            left, number = next(chances) if len(options) > 1 else 0.0, 0
            while left >= options[number][0] and number + 1 < len(options):  # the last one stands for rounding
                left -= options[number][0]
                number += 1
            probability, parts = options[number]
            total += math.log(probability)
            waiting.extend(reversed(parts))
        return words, total

    def string(self, chances: Iterator[float]) -> str:
        """The string of one derivation."""
        return self.separator.join(self.derive(chances)[0])

    def expected(
        self,
        choice: Callable[[float], float] = lambda probability: 0.0,
        word: Callable[[str], float] = lambda word: 0.0,
    ) -> float:
        """The expected sum, over a derivation, of `choice(a rule's probability)` and of `word(a word written)`."""
        costs = np.zeros(len(self.rules))
        for symbol, options in self.rules.items():
            for probability, parts in options:
                words = sum(word(part) for part in parts if part not in self.rules)
                costs[self._number[symbol]] += probability * (choice(probability) + words)
        return float(np.linalg.solve(np.eye(len(costs)) - self._mean, costs)[0])

    @property
    def derivational_entropy_nats(self) -> float:
        """The entropy of the derivation: that of the string where no string has two, else more than that."""
        return self.expected(choice=lambda probability: -math.log(probability) if probability else 0.0)

    @property
    def mean_length(self) -> float:
        """The mean number of characters in a string."""
        return self.expected(word=lambda word: len(word) + len(self.separator)) - len(self.separator)

    @property
    def growth(self) -> float:
        """The largest eigenvalue of the mean numbers of symbols that a symbol becomes; from 1 on there is no mean."""
        return float(np.abs(np.linalg.eigvals(self._mean)).max())

    @cached_property
    def _number(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.rules)}

    @cached_property
    def _mean(self) -> np.ndarray:
        mean = np.zeros((len(self.rules), len(self.rules)))
        for symbol, options in self.rules.items():
            for probability, parts in options:
                for part in parts:
                    if part in self.rules:
                        mean[self._number[symbol], self._number[part]] += probability
        return mean
