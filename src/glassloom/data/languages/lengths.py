"""Strings of one exact length: what a grammar says, given that it says so many characters.

With Z_A(n) the probability that symbol A becomes n characters,

    Z_A(n) = sum over rules A -> B_1 ... B_k of p * (Z_B1 * ... * Z_Bk)(n)

where * is a convolution (the inside algorithm of Lari and Young 1990, by length instead of by place). From these tables
a derivation is drawn from the top down, rule by rule and cut by cut, with exactly its probability given the length.
"""

from collections.abc import Callable

import numpy as np

from glassloom.data.languages.grammar import Grammar
from glassloom.data.languages.proper import Part, proper


class Lengths:
    """The tables of one grammar, for strings of at most `longest` characters.

    >>> nested = Grammar({"S": ((0.5, ("a", "S", "b")), (0.5, ("a", "b")))})
    >>> lengths = Lengths(nested, 8)
    >>> lengths.probabilities.tolist()
    [0.0, 0.0, 0.5, 0.0, 0.25, 0.0, 0.125, 0.0, 0.0625]
    >>> lengths.draw(6, np.random.default_rng(0))
    'aaabbb'
    """

    def __init__(self, grammar: Grammar, longest: int) -> None:
        self.proper, self.longest = proper(grammar), longest
        self._extra = len(grammar.separator)
        self._size = longest + self._extra + 1
        self._symbols = np.zeros((len(self.proper.rules), self._size))
        self._rests: dict[tuple[Part, ...], np.ndarray] = {}
        for options in self.proper.rules:
            for _, parts in options:
                for cut in range(1, len(parts)):
                    self._rests[parts[cut:]] = np.zeros(self._size)
        self._letter = np.eye(1, self._size, 1)[0]
        self._fill()
        self.probabilities = self._symbols[0][self._extra :] * (1 - self.proper.empty)
        """By length from 0 to `longest`: how probable it is."""
        self.probabilities[0] += self.proper.empty

    def draw(self, length: int, rng: np.random.Generator) -> str:
        """One string of that length, which must be possible; drawn with its probability given the length."""
        if length == 0:
            return ""
        written: list[str] = []
        waiting: list[tuple[tuple[Part, ...], int]] = [((0,), length + self._extra)]
        while waiting:
            parts, total = waiting.pop()
            first, after = parts[0], parts[1:]
            if after:
                shares = self._of(first)[: total + 1] * self._of_all(after)[total::-1]
                cut = pick(shares, rng)
                waiting.append((after, total - cut))
                total = cut
            if isinstance(first, str):
                written.append(first)
                continue
            options = self.proper.rules[first]
            weights = np.array([probability * self._whole(rest)(total) for probability, rest in options])
            waiting.append((options[pick(weights, rng)][1], total))
        return "".join(written)[self._extra :]

    def _of(self, part: Part) -> np.ndarray:
        return self._letter if isinstance(part, str) else self._symbols[part]

    def _of_all(self, parts: tuple[Part, ...]) -> np.ndarray:
        return self._of(parts[0]) if len(parts) == 1 else self._rests[parts]

    def _whole(self, parts: tuple[Part, ...]) -> Callable[[int], float]:
        """The probability that a whole right side becomes so many characters."""
        if len(parts) == 1:
            return lambda n: float(self._of(parts[0])[n])
        return lambda n: float(self._of(parts[0])[: n + 1] @ self._of_all(parts[1:])[n::-1])

    def _fill(self) -> None:
        """All tables at once, from short to long: nothing is empty, so longer parts need only shorter ones."""
        rests = sorted((parts for parts in self._rests if len(parts) > 1), key=len)
        chains = self.proper.chains
        for n in range(1, self._size):
            grown = np.zeros(len(self.proper.rules))
            for symbol, options in enumerate(self.proper.rules):
                for probability, parts in options:
                    if len(parts) > 1 or isinstance(parts[0], str):
                        grown[symbol] += probability * self._whole(parts)(n)
            self._symbols[:, n] = chains @ grown
            for parts in rests:
                self._rests[parts][n] = self._whole(parts)(n)


def pick(weights: np.ndarray, rng: np.random.Generator) -> int:
    """An index, drawn by weights that need not sum to 1."""
    sums = np.cumsum(weights)
    return int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
