"""One id per character: the symbols of the whole corpus, sorted by code point; special ids after them."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from glassloom.data.tokenizers.base import (
    Evidence,
    Ids,
    Tokenizer,
    code_points,
    entry_of,
    label,
    symbol_name,
)
from glassloom.errors import TokenizerError

REPLACEMENT = "\ufffd"


class CharTokenizer(Tokenizer):
    """Each character is an id.

    >>> tokenizer = CharTokenizer("abc")
    >>> tokenizer.encode("cab").tolist(), tokenizer.decode([2, 0, 1])
    ([2, 0, 1], 'cab')
    """

    kind = "char"

    def __init__(self, symbols: str, marks: Sequence[str] = ()) -> None:
        self.name = "char"
        self.symbols = "".join(sorted(set(symbols)))
        self.specials = {mark: len(self.symbols) + place for place, mark in enumerate(marks)}
        self.size = len(self.symbols) + len(self.specials)
        if not self.size:
            raise TokenizerError("A char tokenizer needs at least one symbol", "some text", "give a text that has any")
        self._codes = code_points(self.symbols)
        self._missing = self.specials.get(".unk", self.size)
        last = int(self._codes[-1]) if len(self._codes) else 0
        self._table = np.full(max(last + 2, 128), self._missing, dtype=np.min_scalar_type(self.size))
        self._table[self._codes] = np.arange(len(self._codes))
        # A table of 256 bytes translates ASCII many times faster than indexing; it holds ids up to 255.
        self._ascii = np.resize(self._table[:128], 256).astype(np.uint8).tobytes() if self.size < 256 else None
        blank = {".unk": REPLACEMENT}
        self._texts = [*self.symbols, *(blank.get(mark, "") for mark in self.specials)]

    @classmethod
    def learn(cls, evidence: Evidence) -> "CharTokenizer":
        return cls(evidence.symbols, (*evidence.marks, ".unk") if evidence.marks else ())

    def encode(self, text: str) -> Ids:
        ids: Ids
        if text.isascii() and self._ascii is not None:
            ids = np.frombuffer(text.encode("ascii").translate(self._ascii), dtype=np.uint8)
        else:
            ids = self._table[np.minimum(code_points(text), len(self._table) - 1)]
        if ".unk" not in self.specials and len(ids) and ids.max() == self._missing:
            self._refuse(text, ids)
        return ids.astype(self.dtype, copy=False)

    def _refuse(self, text: str, ids: Ids) -> None:
        places = np.flatnonzero(ids == self._missing)
        counts = Counter(text[place] for place in places)
        names = ", ".join(symbol_name(symbol) for symbol in list(counts)[:5])
        more = f" and {len(counts) - 5} more" if len(counts) > 5 else ""
        raise TokenizerError(
            f"The text has {len(counts)} symbol{'s'[: len(counts) > 1]} that the vocabulary lacks: {names}{more} "
            f"({len(places):,} times, first at character {places[0]:,})",
            f"a text of the {len(self.symbols)} symbols that the tokenizer knows",
            "remove or replace these symbols, or use the byte tokenizer, which knows all",
        )

    def decode(self, ids: Sequence[int] | Ids) -> str:
        numbers = np.asarray(ids, dtype=np.int64)
        if not self.specials:
            return self._codes[numbers].tobytes().decode("utf-32-le")
        return "".join(map(self._texts.__getitem__, numbers.tolist()))

    def labels(self) -> list[str]:
        return [*map(label, self.symbols), *self.specials]

    def unknown(self, text: str) -> list[tuple[str, int]]:
        known = set(self.symbols)
        return [(symbol, place) for symbol, place in first_places(text).items() if symbol not in known]

    def unspelt(self, text: str) -> Counter[str]:
        return Counter({symbol: text.count(symbol) for symbol, _ in self.unknown(text)})

    def spellings(self) -> list[str]:
        return list(self.symbols)

    def drop_unknown(self, text: str) -> str:
        known = set(self.symbols)
        return "".join(symbol for symbol in text if symbol in known)

    def lacks(self, symbols: str) -> str:
        return "" if ".unk" in self.specials else "".join(sorted(set(symbols) - set(self.symbols)))

    def streamer(self) -> "Pieces":
        return Pieces(self._texts)

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "symbols": self.symbols, "marks": list(self.specials)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CharTokenizer":
        return cls(entry_of("char", data, "symbols", str), entry_of("char", data, "marks", list))


class Pieces:
    """Each id is a piece of text of its own, shown at once."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def push(self, index: int) -> str:
        return self.texts[index]

    def flush(self) -> str:
        return ""


def first_places(text: str) -> dict[str, int]:
    """Each character of a text with the index of its first occurrence, in that order."""
    places: dict[str, int] = {}
    for place, symbol in enumerate(text):
        places.setdefault(symbol, place)
    return places
