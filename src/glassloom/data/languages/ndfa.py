"""`ndfa`: one of three words, chosen once, repeated any number of times between two s.

    s w^n s    w from {abc!, uvw!, klm!}, each 1/3; P(n) = 1/4 (3/4)^n

(Vrije Universiteit Amsterdam, deep learning, assignment 4.) To write it, a model has to remember the word and count to
four; it can never know n.
"""

from glassloom.data.languages.language import END, Following, Language, State

WORDS = ("abc!", "uvw!", "klm!")
STOP = 1 / 4


class NDFA(Language):
    """States: before the first s, between the words ("" before the first one), within a word, after the last s."""

    name = "ndfa"
    definition = "s w^n s with w one of abc!, uvw!, klm! and P(n) = 1/4 (3/4)^n"

    def begin(self) -> State:
        return "first"

    def following(self, state: State) -> Following:
        if state == "first":
            return {"s": (1.0, ("", 0))}
        if state == "last":
            return {END: (1.0, "last")}
        assert isinstance(state, tuple)
        word, written = state
        if 0 < written < len(word):
            return {word[written]: (1.0, (word, written + 1))}
        words = [word] if word else WORDS
        begins: Following = {one[0]: ((1 - STOP) / len(words), (one, 1)) for one in words}
        return {"s": (STOP, "last"), **begins}
