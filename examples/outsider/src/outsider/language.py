"""`threes`: binary numbers that three divides, the first digit a 1.

    After a number that three divides the string ends with probability 1/4; else each digit is equally probable.

To know where a string may end, a model has to carry the remainder, which each digit d takes from r to 2r + d mod 3.
"""

from glassloom.extending import END, Language

STOP = 1 / 4


class Threes(Language):
    """States: the start, and the remainders 0, 1 and 2. They are finitely many: the entropy follows from them."""

    name = "threes"
    definition = "binary numbers that three divides, ending there with probability 1/4"

    def begin(self) -> str | int:
        return "start"

    def following(self, state: str | int) -> dict[str, tuple[float, str | int]]:
        if isinstance(state, str):
            return {"1": (1.0, 1)}
        goes_on = 1 - STOP if state == 0 else 1.0
        digits = {str(digit): (goes_on / 2, (2 * state + digit) % 3) for digit in (0, 1)}
        return {END: (STOP, "start"), **digits} if state == 0 else digits
