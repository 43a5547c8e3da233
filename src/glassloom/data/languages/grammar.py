"""A grammar whose rules are chosen uniformly: rewriting, and what can be expected of it.

A symbol that has rules is rewritten by one of them, each as probable as the others; any other symbol is written as it
is. What is expected of a derivation from a symbol is the expected cost of its rule plus what is expected of the
symbols in it: one linear equation a symbol, solved exactly.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np


class Grammar:
    """Rules by symbol, the first symbol being the start; a rule is a string of symbols with spaces between.

    >>> coins = Grammar({"S": ["heads", "tails S"]})
    >>> list(coins.derive(iter([0.9, 0.1])))
    ['tails', 'heads']
    >>> float(coins.expected(lambda choices: 1.0))  # choices made in a derivation
    2.0
    """

    def __init__(self, rules: Mapping[str, Sequence[str]]) -> None:
        self.rules = {symbol: [option.split() for option in options] for symbol, options in rules.items()}
        self.start = next(iter(self.rules))

    def derive(self, chances: Iterator[float]) -> Iterator[str]:
        """One derivation's words, from left to right; `chances` are numbers from [0, 1)."""
        waiting = [self.start]
        while waiting:
            symbol = waiting.pop()
            options = self.rules.get(symbol)
            if options is None:
                yield symbol
            else:
                waiting.extend(reversed(options[int(next(chances) * len(options))]))

    def expected(
        self, choice: Callable[[int], float] = lambda options: 0.0, word: Callable[[str], float] = lambda word: 0.0
    ) -> float:
        """The expected sum, over a derivation, of `choice(how many options)` and of `word(each word written)`."""
        number = {symbol: i for i, symbol in enumerate(self.rules)}
        within = np.zeros((len(number), len(number)))
        costs = np.zeros(len(number))
        for symbol, options in self.rules.items():
            here = number[symbol]
            costs[here] += choice(len(options))
            for part in (part for option in options for part in option):
                if part in number:
                    within[here, number[part]] += 1 / len(options)
                else:
                    costs[here] += word(part) / len(options)
        return float(np.linalg.solve(np.eye(len(number)) - within, costs)[number[self.start]])
