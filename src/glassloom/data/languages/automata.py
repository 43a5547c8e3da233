"""Languages of 0 and 1 that a finite automaton tells apart: Tomita's seven, and parity.

M. Tomita (1982), "Dynamic construction of finite automata from examples using hill-climbing": the test pieces on which
recurrent networks were first shown to learn automata. Tomita gives no probabilities; here a string that may end ends
with probability 1/5, and the symbols that can still lead to a string of the language are equally likely.
"""

from collections.abc import Mapping

from glassloom.data.languages.language import END, Following, Language, State

STOP = 1 / 5

Moves = Mapping[str, Mapping[str, str]]
"""By state, by symbol: the state after it. A symbol that is missing leads out of the language."""


class Automaton(Language):
    """A finite automaton with those probabilities; the first state of `moves` is where it begins.

    >>> Automaton("ones", "any number of 1", {"one": {"1": "one"}}, accepting=("one",)).next_distribution("11")
    {'.end': 0.2, '1': 0.8}
    """

    def __init__(self, name: str, definition: str, moves: Moves, accepting: tuple[str, ...]) -> None:
        self.name, self.definition = name, definition
        self.moves, self.accepting = moves, accepting

    def begin(self) -> State:
        return next(iter(self.moves))

    def following(self, state: State) -> Following:
        assert isinstance(state, str)
        moves = self.moves[state]
        if state not in self.accepting:
            return {symbol: (1 / len(moves), after) for symbol, after in moves.items()}
        more: Following = {symbol: ((1 - STOP) / len(moves), after) for symbol, after in moves.items()}
        return {END: (STOP, state), **more}


PARITY = Automaton(
    "parity",
    "0 and 1, the number of 1s being even",
    {"even": {"0": "even", "1": "odd"}, "odd": {"0": "odd", "1": "even"}},
    accepting=("even",),
)

TOMITA = (
    Automaton("tomita-1", "1 any number of times", {"ones": {"1": "ones"}}, accepting=("ones",)),
    Automaton(
        "tomita-2",
        "10 any number of times",
        {"whole": {"1": "half"}, "half": {"0": "whole"}},
        accepting=("whole",),
    ),
    Automaton(
        "tomita-3",
        "0 and 1, no odd run of 1s being followed by an odd run of 0s",
        {
            "even": {"0": "even", "1": "odd"},
            "odd": {"0": "odd zeros", "1": "even"},
            "odd zeros": {"0": "even zeros"},
            "even zeros": {"0": "odd zeros", "1": "odd"},
        },
        accepting=("even", "odd", "even zeros"),
    ),
    Automaton(
        "tomita-4",
        "0 and 1, without 000",
        {"": {"0": "0", "1": ""}, "0": {"0": "00", "1": ""}, "00": {"1": ""}},
        accepting=("", "0", "00"),
    ),
    Automaton(
        "tomita-5",
        "0 and 1, the numbers of 0s and of 1s both being even",
        {
            "both even": {"0": "0s odd", "1": "1s odd"},
            "0s odd": {"0": "both even", "1": "both odd"},
            "1s odd": {"0": "both odd", "1": "both even"},
            "both odd": {"0": "1s odd", "1": "0s odd"},
        },
        accepting=("both even",),
    ),
    Automaton(
        "tomita-6",
        "0 and 1, the number of 0s less that of 1s being a multiple of 3",
        {"0": {"0": "1", "1": "2"}, "1": {"0": "2", "1": "0"}, "2": {"0": "0", "1": "1"}},
        accepting=("0",),
    ),
    Automaton(
        "tomita-7",
        "a run of 0s, of 1s, of 0s, of 1s, each of any length",
        {
            "first 0s": {"0": "first 0s", "1": "first 1s"},
            "first 1s": {"0": "second 0s", "1": "first 1s"},
            "second 0s": {"0": "second 0s", "1": "second 1s"},
            "second 1s": {"1": "second 1s"},
        },
        accepting=("first 0s", "first 1s", "second 0s", "second 1s"),
    ),
)
