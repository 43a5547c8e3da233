"""What follows a prefix under a probabilistic grammar: Earley's parser with probabilities, after Stolcke (1995).

A column of the chart stands after each character. Its items are rules with a dot, from where the rule began up to here,
and two numbers: `forward`, the probability of all that was read and of the item's being used (eq. 4), and `inner`, that
of what the item itself has read (eq. 5). The sum of `forward` over the items that wait for a character is the
probability of the prefix with that character. Left recursion and rules of one symbol are summed in closed form
(section 4.5); nothing is empty, for `proper` has seen to that. Both numbers are divided by the prefix's own probability
column by column (section 4.7), so that a long prefix does not vanish.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from glassloom.data.languages.proper import Part, Proper

Item = tuple[int, tuple[Part, ...], "Column"]
"""A rule's symbol, what it still waits for, and the column where it began. -1: the string as a whole."""


@dataclass(eq=False)
class Column:
    """The chart after one more character: items by what they wait for, with their forward and inner numbers."""

    place: int
    ended: float = 0.0
    """How probable it is that the string ends here, given the prefix."""
    characters: dict[str, list[tuple[Item, float, float]]] = field(default_factory=lambda: defaultdict(list))
    symbols: dict[int, list[tuple[Item, float, float]]] = field(default_factory=lambda: defaultdict(list))

    def following(self) -> dict[str, float]:
        """By character: the probability that it comes next; what is missing from 1 is the end."""
        return {
            character: sum(forward for _, forward, _ in items)
            for character, items in sorted(self.characters.items())
        }  # fmt: skip


class Chart:
    """Columns of one grammar; they are linked by where their items began, and shared by all strings that begin alike.

    >>> from glassloom.data.languages.grammar import Grammar
    >>> from glassloom.data.languages.proper import proper
    >>> chart = Chart(proper(Grammar({"S": ((0.75, ("a", "S", "b")), (0.25, ("a", "b")))})))
    >>> chart.after(chart.first(), "a").following()
    {'a': 0.75, 'b': 0.25}
    """

    def __init__(self, grammar: Proper) -> None:
        self.grammar = grammar
        size = range(len(grammar.rules))
        self._corners = [[(b, float(grammar.left_corners[a, b])) for b in size if grammar.left_corners[a, b] > 0]
                         for a in size]  # fmt: skip
        self._chained = [[(a, float(grammar.chains[a, b])) for a in size if grammar.chains[a, b] > 0] for b in size]

    def first(self) -> Column:
        """Before the first character, given that the string is not empty."""
        column = Column(0)
        self._enter(column, {(-1, (0,), column): [1.0, 1.0]})
        return column

    def after(self, column: Column, character: str) -> Column:
        """One more character, which must be possible."""
        items = column.characters[character]
        share = 1 / sum(forward for _, forward, _ in items)
        after = Column(column.place + 1)
        scanned: dict[Item, list[float]] = {}
        for (symbol, waits, began), forward, inner in items:
            add(scanned, (symbol, waits[1:], began), forward * share, inner * share)
        self._enter(after, scanned)
        return after

    def _enter(self, column: Column, items: dict[Item, list[float]]) -> None:
        """Complete what is read whole, from the latest beginning to the earliest; then predict what can begin."""
        finished: dict[int, dict[tuple[int, Column], float]] = defaultdict(lambda: defaultdict(float))
        waiting: dict[Item, list[float]] = {}

        def take(item: Item, forward: float, inner: float) -> None:
            symbol, waits, began = item
            if waits:
                add(waiting, item, forward, inner)
            elif symbol < 0:
                column.ended += inner
            else:
                finished[began.place][symbol, began] += inner

        for item, (forward, inner) in items.items():
            take(item, forward, inner)
        while finished:
            for (symbol, began), inner in finished.pop(max(finished)).items():
                for above, chained in self._chained[symbol]:
                    for (owner, waits, start), outer_forward, outer_inner in began.symbols.get(above, ()):
                        if len(waits) == 1 and start is began and owner >= 0:
                            continue  # a rule of one symbol: in `chained` already
                        share = chained * inner
                        take((owner, waits[1:], start), outer_forward * share, outer_inner * share)
        self._predict(column, waiting)

    def _predict(self, column: Column, waiting: dict[Item, list[float]]) -> None:
        wanted: dict[int, float] = defaultdict(float)
        for (_, waits, _), (forward, _) in waiting.items():
            if isinstance(waits[0], int):
                for corner, mean in self._corners[waits[0]]:
                    wanted[corner] += forward * mean
        for symbol, forward in wanted.items():
            for probability, parts in self.grammar.rules[symbol]:
                add(waiting, (symbol, parts, column), forward * probability, probability)
        for item, (forward, inner) in waiting.items():
            part = item[1][0]
            place = column.symbols[part] if isinstance(part, int) else column.characters[part]  # type: ignore[index]
            place.append((item, forward, inner))


def add(items: dict[Item, list[float]], item: Item, forward: float, inner: float) -> None:
    """Add to an item's numbers."""
    numbers = items.setdefault(item, [0.0, 0.0])
    numbers[0] += forward
    numbers[1] += inner
