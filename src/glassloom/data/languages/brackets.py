"""`brackets`: one bracket opened, then opened with 7/16 and closed with 9/16, until all are closed.

(Vrije Universiteit Amsterdam, deep learning, assignment 4.) To write it, a model has to count: the state is how many
brackets are open, and there is no bound.
"""

import math
from functools import cached_property

from glassloom.data.languages.grammar import Grammar
from glassloom.data.languages.language import END, Following, Language, State

OPEN = 7 / 16
CLOSE = 9 / 16
BEFORE = -1
"""The state before the first bracket; afterwards it is the number of open ones."""


class Brackets(Language):
    """A random walk from depth 1 down to 0; each step down takes 1 / (CLOSE - OPEN) steps in the mean (Wald)."""

    name = "brackets"
    definition = '"(", then "(" with probability 7/16 or ")" with 9/16, until balanced'
    grammar = Grammar({"S": ((1.0, ("(", "Rest")),), "Rest": ((OPEN, ("(", "Rest", "Rest")), (CLOSE, (")",)))})

    def begin(self) -> State:
        return BEFORE

    def following(self, state: State) -> Following:
        assert isinstance(state, int)
        if state == BEFORE:
            return {"(": (1.0, 1)}
        if state == 0:
            return {END: (1.0, 0)}
        return {"(": (OPEN, state + 1), ")": (CLOSE, state - 1)}

    @cached_property
    def entropy_nats(self) -> float:
        """Every step but the first is one choice between two, and the string tells all of them."""
        return -(OPEN * math.log(OPEN) + CLOSE * math.log(CLOSE)) * self._steps

    @cached_property
    def mean_length(self) -> float:
        return 1 + self._steps

    @property
    def _steps(self) -> float:
        return 1 / (CLOSE - OPEN)
