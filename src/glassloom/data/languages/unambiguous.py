"""Whether a grammar is shown to be unambiguous: by being deterministic, which is LR(1) (Knuth 1965).

Ambiguity cannot be decided in general. But where a parser that reads from left to right always knows from one character
ahead whether to read on, and which rule has just ended, no string has two derivations. The contrary is not shown: a
grammar that fails here may be unambiguous all the same (palindromes are).
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence

from glassloom.data.languages.grammar import Grammar

STATES = 3_000
"""A parser with more states than this is not built; the grammar counts as not shown to be unambiguous."""
OVER = ""
"""What is read ahead where the string is over."""

Core = tuple[str, int, int]
"""A rule's symbol, its number among that symbol's rules, and how much of it is read."""
State = frozenset[tuple[Core, frozenset[str]]]


def is_deterministic(grammar: Grammar) -> bool:
    """Whether the grammar is LR(1) over characters, and so unambiguous.

    >>> is_deterministic(Grammar({"S": ((0.5, ("a", "S", "b")), (0.5, ("a", "b")))}))
    True
    >>> is_deterministic(Grammar({"S": ((0.4, ("S", "S")), (0.6, ("a",)))}))
    False
    """
    return Parser(grammar).has_no_conflict()


class Parser:
    """The states of the LR(1) automaton, built one after the other until one has a conflict."""

    def __init__(self, grammar: Grammar) -> None:
        self.rules: dict[str, list[tuple[str, ...]]] = {"": [(grammar.start,)]}
        for symbol, options in grammar.rules.items():
            self.rules[symbol] = [
                tuple(itertools.chain.from_iterable(signs(part, grammar) for part in parts)) for _, parts in options
            ]
        self.first, self.nullable = firsts(self.rules)

    def has_no_conflict(self) -> bool:
        """Whether every state knows from one character ahead what to do."""
        begin = self.closed({("", 0, 0): {OVER}})
        seen, waiting = {begin}, [begin]
        for state in waiting:  # grows while it is read
            moved: dict[str, dict[Core, set[str]]] = defaultdict(dict)
            decided: set[str] = set()
            for (symbol, number, read), ahead in state:
                parts = self.rules[symbol][number]
                if read < len(parts):
                    moved[parts[read]][symbol, number, read + 1] = set(ahead)
                elif decided & ahead:
                    return False
                else:
                    decided |= ahead
            if any(sign in decided for sign in moved):
                return False
            for kernel in moved.values():
                after = self.closed(kernel)
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
            if len(seen) > STATES:
                return False
        return True

    def closed(self, kernel: Mapping[Core, set[str]]) -> State:
        """The state with all rules that may begin here, and what can be read ahead after each."""
        items = {core: set(ahead) for core, ahead in kernel.items()}
        waiting = list(items)
        while waiting:
            symbol, number, read = core = waiting.pop()
            parts = self.rules[symbol][number]
            if read == len(parts) or parts[read] not in self.rules:
                continue
            ahead = self.ahead(parts[read + 1 :], items[core])
            for option in range(len(self.rules[parts[read]])):
                inner = (parts[read], option, 0)
                known = items.setdefault(inner, set())
                if not ahead <= known:
                    known |= ahead
                    waiting.append(inner)
        return frozenset((core, frozenset(ahead)) for core, ahead in items.items())

    def ahead(self, parts: tuple[str, ...], after: set[str]) -> set[str]:
        """The characters that can come where these parts begin, `after` standing behind them."""
        found: set[str] = set()
        for part in parts:
            if part not in self.rules:
                return found | {part}
            found |= self.first[part]
            if part not in self.nullable:
                return found
        return found | after


def signs(part: str, grammar: Grammar) -> Sequence[str]:
    """What a parser reads for one part of a rule: the symbol, or the word's characters."""
    return [part] if part in grammar.rules else grammar.separator + part


def firsts(rules: Mapping[str, list[tuple[str, ...]]]) -> tuple[dict[str, set[str]], set[str]]:
    """The characters that each symbol can begin with, and the symbols that can become nothing."""
    first: dict[str, set[str]] = {symbol: set() for symbol in rules}
    nullable: set[str] = set()
    changed = True
    while changed:
        changed = False
        for symbol, options in rules.items():
            for parts in options:
                before = len(first[symbol]), len(nullable)
                for part in parts:
                    first[symbol] |= first.get(part, {part})
                    if part not in nullable:
                        break
                else:
                    nullable.add(symbol)
                changed |= before != (len(first[symbol]), len(nullable))
    return first, nullable
