"""The states of a language that has finitely many, and what follows from them exactly: sums, and strings of one length.

With P the probabilities of moving from state to state and e those of ending, an expected sum of costs x solves
x = cost + P x, and the probability of ending after exactly n more symbols is P^n e.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from glassloom.errors import InputError

if TYPE_CHECKING:
    from glassloom.data.languages.language import Following, Language

MOST_STATES = 2_000
"""Up to so many states are found and solved for."""


class States:
    """All states that can be reached, the first one first, and the tables over them."""

    def __init__(self, language: "Language") -> None:
        from glassloom.data.languages.language import END

        number = {language.begin(): 0}
        waiting = [language.begin()]
        self.rows: list[Following] = []
        for state in waiting:  # grows while it is read: every state that can be reached, breadth first
            self.rows.append(language.following(state))
            for symbol, (_, after) in self.rows[-1].items():
                if symbol != END and after not in number:
                    number[after] = len(number)
                    waiting.append(after)
            if len(number) > MOST_STATES:
                raise InputError(
                    f"The language {language.name} has more than {MOST_STATES} states",
                    "finitely many, to solve for its entropy, mean length and the strings of one length",
                    "define entropy_nats and mean_length in its class, and give it a grammar",
                )
        self._moves = np.zeros((len(number), len(number)))
        self._ends = np.zeros(len(number))
        self._choices: list[list[tuple[str, float, int]]] = []
        for here, following in enumerate(self.rows):
            self._ends[here] = following[END][0] if END in following else 0.0
            choices = [(symbol, p, number[after]) for symbol, (p, after) in following.items() if symbol != END]
            self._choices.append(choices)
            for _, probability, after in choices:
                self._moves[here, after] += probability

    def expected(self, cost: "Callable[[Following], float]") -> float:
        """The expected sum of the costs of all states on the way."""
        costs = np.array([cost(following) for following in self.rows])
        return float(np.linalg.solve(np.eye(len(costs)) - self._moves, costs)[0])

    def endings(self, longest: int) -> np.ndarray:
        """`[n, state]`: the probability that from the state exactly n more symbols come."""
        found = np.empty((longest + 1, len(self._ends)))
        found[0] = self._ends
        for n in range(1, longest + 1):
            found[n] = self._moves @ found[n - 1]
        return found

    def draw(self, endings: np.ndarray, rng: np.random.Generator) -> str:
        """One string of as many symbols as `endings` goes to, with its probability given the length."""
        state, written = 0, []
        for left in range(len(endings) - 2, -1, -1):
            choices = self._choices[state]
            sums = np.cumsum([probability * endings[left, after] for _, probability, after in choices])
            symbol, _, state = choices[int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))]
            written.append(symbol)
        return "".join(written)
