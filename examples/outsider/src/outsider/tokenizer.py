"""Letters without their case, and a sign before each capital: "Ann" is ⇧ a n n.

What is learned of a word then holds at the beginning of a sentence, too. Nothing is lost: a letter whose small and
large form do not lead back to each other (ß, ı) stays an id of its own.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from glassloom.extending import Evidence, Ids, Tokenizer, TokenizerError, entry_of, label, symbol_name

SHIFT = "⇧"


def is_capital(symbol: str) -> bool:
    """Whether a symbol is written as the sign and a small letter."""
    small = symbol.lower()
    return small != symbol and len(small) == 1 and small.upper() == symbol


class ShiftTokenizer(Tokenizer):
    """Each character is an id, a capital two of them.

    >>> tokenizer = ShiftTokenizer("an")
    >>> tokenizer.encode("Ann").tolist(), tokenizer.decode([2, 0, 1, 1])
    ([2, 0, 1, 1], 'Ann')
    """

    kind = "shift"

    def __init__(self, symbols: str, marks: Sequence[str] = ()) -> None:
        self.name = "shift"
        self.symbols = "".join(sorted(set(symbols)))
        self.shift = len(self.symbols)
        self.specials = {mark: self.shift + 1 + place for place, mark in enumerate(marks)}
        self.size = self.shift + 1 + len(marks)
        self.ids = {symbol: index for index, symbol in enumerate(self.symbols)}

    @classmethod
    def learn(cls, evidence: Evidence) -> "ShiftTokenizer":
        return cls("".join(s.lower() if is_capital(s) else s for s in evidence.symbols), evidence.marks)

    def encode(self, text: str) -> Ids:
        ids = []
        for place, symbol in enumerate(text):
            small = symbol.lower() if is_capital(symbol) else symbol
            if small not in self.ids:
                raise TokenizerError(
                    f"The text has a symbol that the vocabulary lacks: {symbol_name(symbol)} at character {place:,}",
                    "a text of the symbols that were learned",
                    "remove or replace it",
                )
            ids += [self.ids[small]] if small == symbol else [self.shift, self.ids[small]]
        return np.array(ids, dtype=self.dtype)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        streamer = self.streamer()
        return "".join([*(streamer.push(int(index)) for index in ids), streamer.flush()])

    def labels(self) -> list[str]:
        return [*map(label, self.symbols), SHIFT, *self.specials]

    def streamer(self) -> "ShiftStreamer":
        return ShiftStreamer(self)

    def lacks(self, symbols: str) -> str:
        return "".join(s for s in symbols if (s.lower() if is_capital(s) else s) not in self.ids)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": self.symbols, "marks": list(self.specials)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ShiftTokenizer":
        return cls(entry_of("shift", data, "symbols", str), entry_of("shift", data, "marks", list))


class ShiftStreamer:
    """The sign is held back until the letter comes; before what has no capital it says nothing."""

    def __init__(self, tokenizer: ShiftTokenizer) -> None:
        self.tokenizer, self.is_shifted = tokenizer, False

    def push(self, index: int) -> str:
        if index >= self.tokenizer.shift:
            self.is_shifted = index == self.tokenizer.shift
            return ""
        symbol = self.tokenizer.symbols[index]
        capital = symbol.upper()
        symbol = capital if self.is_shifted and is_capital(capital) else symbol
        self.is_shifted = False
        return symbol

    def flush(self) -> str:
        self.is_shifted = False
        return ""
