"""One id per UTF-8 byte: every valid text can be spelt, and comes back exactly; special ids after the 256 bytes."""

import codecs
from collections.abc import Sequence
from typing import Any

import numpy as np

from glassloom.data.tokenizers.base import Evidence, Ids, Tokenizer, entry_of, label, utf8


class ByteTokenizer(Tokenizer):
    """Each byte of the UTF-8 text is an id.

    >>> ByteTokenizer().encode("é").tolist()
    [195, 169]
    """

    kind = "byte"

    def __init__(self, marks: Sequence[str] = ()) -> None:
        self.name = "byte"
        self.specials = {mark: 256 + place for place, mark in enumerate(marks)}
        self.size = 256 + len(self.specials)

    @classmethod
    def learn(cls, evidence: Evidence) -> "ByteTokenizer":
        return cls(evidence.marks)

    def encode(self, text: str) -> Ids:
        return np.frombuffer(utf8(text), dtype=np.uint8).astype(self.dtype)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        numbers = np.asarray(ids, dtype=np.int64)
        return numbers[numbers < 256].astype(np.uint8).tobytes().decode("utf-8", errors="replace")

    def labels(self) -> list[str]:
        plain = [
            label(chr(value)) if value in b"\t\n" or 32 <= value < 127 else f"0x{value:02X}" for value in range(256)
        ]
        return [*plain, *self.specials]

    def streamer(self) -> "ByteStreamer":
        return ByteStreamer([bytes([value]) for value in range(256)] + [b""] * len(self.specials))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "marks": list(self.specials)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "ByteTokenizer":
        return cls(entry_of("byte", data, "marks", list))


class ByteStreamer:
    """Each id is some bytes; those of an unfinished character are held back."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, index: int) -> str:
        return self.decoder.decode(self.pieces[index])

    def flush(self) -> str:
        text = self.decoder.decode(b"", final=True)
        self.decoder.reset()
        return text
