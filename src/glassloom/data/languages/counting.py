"""Languages that no finite automaton tells apart, each asking for another kind of memory: one counter, a stack, a copy.

anbn      a^n b^n                    n >= 1, P(n) = 1/5 (4/5)^(n-1)
dyck-k    k kinds of brackets        opened and closed as in `brackets`; what is balanced ends with probability 1/2
copy      w # w                      w of a and b, each letter equally likely; w ends with probability 1/5
"""

import math

import numpy as np

from glassloom.data.languages.brackets import CLOSE, OPEN
from glassloom.data.languages.grammar import Grammar, Rule
from glassloom.data.languages.language import END, Following, Language, State, no_such_length

STOP = 1 / 5
PAIRS = ("()", "[]", "{}", "<>")
WHOLE = 1 / 2
"""How probable it is that a balanced string of `dyck-k` ends there."""


def choice_nats(*probabilities: float) -> float:
    """The entropy of one choice."""
    return -sum(probability * math.log(probability) for probability in probabilities)


class Anbn(Language):
    """States: a's written, b's to come, and whether the b's have begun."""

    name = "anbn"
    definition = "a^n b^n with n at least 1 and P(n) = 1/5 (4/5)^(n-1)"
    grammar = Grammar({"S": ((1 - STOP, ("a", "S", "b")), (STOP, ("a", "b")))})
    entropy_nats = choice_nats(STOP, 1 - STOP) / STOP
    mean_length = 2 / STOP

    def begin(self) -> State:
        return 0, False

    def following(self, state: State) -> Following:
        assert isinstance(state, tuple)
        left, closing = state
        if closing:
            return {"b": (1.0, (left - 1, True))} if left else {END: (1.0, state)}
        more: Following = {"a": (1 - STOP if left else 1.0, (left + 1, False))}
        return more if not left else {**more, "b": (STOP, (left - 1, True))}


class Dyck(Language):
    """States: the brackets that are open, outermost first; None before the first one.

    A balanced piece takes 1 + 1 / (CLOSE - OPEN) symbols in the mean, half of them opening (see `brackets`), and there
    are 1 / WHOLE pieces.
    """

    def __init__(self, kinds: int) -> None:
        pieces, steps = 1 / WHOLE, 1 / (CLOSE - OPEN)
        self.kinds = [(pair[0], pair[1]) for pair in PAIRS[:kinds]]
        self.closes = dict(self.kinds)
        self.name = f"dyck-{kinds}"
        self.definition = f"nested brackets of {kinds} kind{'s'[: kinds > 1]}, not empty"
        self.mean_length = pieces * (1 + steps)
        opened = self.mean_length / 2
        self.entropy_nats = pieces * (
            choice_nats(WHOLE, 1 - WHOLE) + steps * choice_nats(OPEN, CLOSE)
        ) + opened * math.log(kinds)
        rules: dict[str, tuple[Rule, ...]] = {"S": ((1 - WHOLE, ("Piece", "S")), (WHOLE, ("Piece",)))}
        rules["Piece"] = tuple((1 / kinds, (begin, f"To {end}")) for begin, end in self.kinds)
        for _, close in self.kinds:
            rules[f"To {close}"] = ((OPEN, ("Piece", f"To {close}")), (CLOSE, (close,)))
        self.grammar = Grammar(rules)

    def begin(self) -> State:
        return None

    def following(self, state: State) -> Following:
        within = state or ""
        assert isinstance(within, str)
        share = 1.0 if state is None else OPEN if within else 1 - WHOLE
        found: Following = {begin: (share / len(self.kinds), within + begin) for begin, _ in self.kinds}
        if state is None:
            return found
        return {**found, (self.closes[within[-1]] if within else END): (1 - share, within[:-1])}


class Copy(Language):
    """States: the first w so far, and None, or how much of the second is written."""

    name = "copy"
    definition = "w # w, w of a and b, each letter 1/2, P(length of w) = 1/5 (4/5)^length"
    entropy_nats = choice_nats(STOP, 1 - STOP) / STOP + (1 - STOP) / STOP * math.log(2)
    mean_length = 1 + 2 * (1 - STOP) / STOP
    remembered = 10_000

    def begin(self) -> State:
        return "", None

    def following(self, state: State) -> Following:
        assert isinstance(state, tuple)
        word, copied = state
        if copied is None:
            more: Following = {letter: ((1 - STOP) / 2, (word + letter, None)) for letter in "ab"}
            return {"#": (STOP, (word, 0)), **more}
        return {word[copied]: (1.0, (word, copied + 1))} if copied < len(word) else {END: (1.0, state)}

    def length_probabilities(self, longest: int) -> np.ndarray:
        found = np.zeros(longest + 1)
        found[1::2] = STOP * (1 - STOP) ** np.arange((longest + 1) // 2)
        return found

    def of_length(self, length: int, count: int, rng: np.random.Generator) -> list[str]:
        if length % 2 == 0:
            raise no_such_length(self, length)
        words = ("".join(rng.choice(["a", "b"], size=length // 2)) for _ in range(count))
        return [f"{word}#{word}" for word in words]
