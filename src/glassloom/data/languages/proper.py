"""A grammar over single characters in which nothing becomes the empty string: what parsing and counting start from.

With e_A the probability that symbol A becomes nothing (the least solution of e_A = sum of p * product of e over the
rule's symbols, found by iteration), each rule is written once for every choice of symbols that become nothing, and
divided by 1 - e_A: afterwards A stands for what A becomes, given that it is something.
"""

import itertools
import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from glassloom.data.languages.grammar import Grammar

Part = int | str
"""A symbol's number, or a character."""


@dataclass(frozen=True)
class Proper:
    """`rules[number]` are the probabilities and parts of a symbol's rules; 0 is the start.

    `empty` is the probability of the empty string; where it is 1 no rule is left. With a separator every word has one
    in front of it, also the first.
    """

    rules: tuple[tuple[tuple[float, tuple[Part, ...]], ...], ...]
    empty: float
    separator: str = ""
    names: tuple[str, ...] = field(default=())

    @cached_property
    def left_corners(self) -> np.ndarray:
        """How often, in the mean, a derivation from A has B at its left edge: (I - P)^-1, P[A, B] of one step."""
        return self._closure(lambda parts: True)

    @cached_property
    def chains(self) -> np.ndarray:
        """The probability that A becomes B by rules of one symbol alone, B = A included: (I - P)^-1."""
        return self._closure(lambda parts: len(parts) == 1)

    def _closure(self, counts: object) -> np.ndarray:
        step = np.zeros((len(self.rules), len(self.rules)))
        for symbol, options in enumerate(self.rules):
            for probability, parts in options:
                if isinstance(parts[0], int) and counts(parts):  # type: ignore[operator]
                    step[symbol, parts[0]] += probability
        return np.linalg.inv(np.eye(len(step)) - step)


def proper(grammar: Grammar) -> Proper:
    """The same language without empty parts.

    >>> pairs = proper(Grammar({"S": ((0.75, ("(", "S", ")")), (0.25, ()))}))
    >>> pairs.empty, pairs.rules
    (0.25, (((0.75, ('(', 0, ')')), (0.25, ('(', ')'))),))
    """
    empty = empties(grammar)
    kept = [symbol for symbol in grammar.rules if empty[symbol] < 1 - 1e-12]
    number = {symbol: place for place, symbol in enumerate(kept)}
    rules = []
    for symbol in kept:
        options: dict[tuple[Part, ...], float] = defaultdict(float)
        for probability, parts in grammar.rules[symbol]:
            for share, rest in without_empties(parts, empty, number, grammar.separator):
                if rest and probability * share > 0:
                    options[rest] += probability * share / (1 - empty[symbol])
        rules.append(tuple((probability, parts) for parts, probability in options.items()))
    return Proper(tuple(rules), empty[grammar.start], grammar.separator, tuple(kept))


def empties(grammar: Grammar) -> dict[str, float]:
    """By symbol: the probability that it becomes the empty string."""
    empty = dict.fromkeys(grammar.rules, 0.0)
    while True:
        after = {
            symbol: sum(p * math.prod(empty.get(part, float(not part)) for part in parts) for p, parts in options)
            for symbol, options in grammar.rules.items()
        }
        if all(after[symbol] - empty[symbol] < 1e-17 for symbol in empty):
            return after
        empty = after


def without_empties(
    parts: tuple[str, ...], empty: dict[str, float], number: dict[str, int], separator: str
) -> list[tuple[float, tuple[Part, ...]]]:
    """A rule's right side with each choice of symbols that become nothing, and the probability of that choice."""
    choices: list[list[tuple[float, tuple[Part, ...]]]] = []
    for part in parts:
        if part not in empty:
            choices.append([(1.0, tuple(separator + part) if part else ())])
        elif part not in number:
            choices.append([(1.0, ())])
        else:
            choices.append([(1 - empty[part], (number[part],))] + ([(empty[part], ())] if empty[part] else []))
    return [
        (math.prod(share for share, _ in chosen), tuple(itertools.chain.from_iterable(rest for _, rest in chosen)))
        for chosen in itertools.product(*choices)
    ]
