"""Byte-level byte-pair encoding, learned by Hugging Face tokenizers on the train split.

Sennrich et al. 2016 (arXiv:1508.07909) on UTF-8 bytes, as in GPT-2: the 256 bytes are always in the vocabulary, so
every valid text can be spelt and comes back exactly; no space is added before the text.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from glassloom.data.tokenizers.base import Evidence, Ids, Tokenizer, entry_of, label, utf8
from glassloom.data.tokenizers.byte import ByteStreamer
from glassloom.errors import TokenizerError, notice

CUT = re.compile(r"(?<=\S)[ \n]")

PIECE = 1 << 17
"""Characters that are encoded as one item of a batch, or a little more."""


class BpeTokenizer(Tokenizer):
    """Frequent runs of bytes are ids. `pieces` are spelt in the byte alphabet of GPT-2, in the order of their ids."""

    kind = "bpe"
    needs_size = True

    def __init__(self, asked: int, pieces: Sequence[str], merges: Sequence[Sequence[str]], marks: Sequence[str] = ()):
        self.name = f"bpe:{asked}"
        self.asked = asked
        self.pieces = list(pieces)
        self.merges = [(str(merge[0]), str(merge[-1])) for merge in merges if len(merge) == 2]
        self.specials = {mark: len(self.pieces) + place for place, mark in enumerate(marks)}
        self.size = len(self.pieces) + len(self.specials)
        alphabet = byte_alphabet()
        index = {piece: place for place, piece in enumerate(self.pieces)}
        sound = len(index) == len(self.pieces) and all(symbol in index for symbol in alphabet)
        sound = sound and all(symbol in alphabet for piece in self.pieces for symbol in piece)
        sound = sound and len(self.merges) == len(merges) and all(a + b in index for a, b in self.merges)
        if not sound:
            raise TokenizerError(
                "The saved bpe tokenizer is damaged",
                "all 256 bytes among the pieces, and merges that make pieces",
                "use the tokenizer.json that was written with the run",
            )
        self._bytes = [bytes(alphabet[symbol] for symbol in piece) for piece in self.pieces]
        self._bytes += [b""] * len(self.specials)

    @cached_property
    def _encoder(self) -> Any:
        from tokenizers import Tokenizer as Library
        from tokenizers import models, pre_tokenizers

        vocabulary = {piece: place for place, piece in enumerate(self.pieces)}
        library = Library(models.BPE(vocab=vocabulary, merges=self.merges))
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        return library

    @classmethod
    def learn(cls, evidence: Evidence) -> "BpeTokenizer":
        from tokenizers import Tokenizer as Library
        from tokenizers import models, pre_tokenizers, trainers

        assert evidence.argument is not None
        library = Library(models.BPE())
        library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=evidence.argument,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        library.train_from_iterator(cut_pieces(evidence.train()), trainer)
        model = json.loads(library.to_str())["model"]
        pieces = sorted(model["vocab"], key=model["vocab"].__getitem__)
        merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
        if len(pieces) < evidence.argument:
            notice(
                f"The train text yields only {len(pieces):,} pieces that occur twice, not the {evidence.argument:,} "
                "that were asked for; on with those."
            )
        return cls(evidence.argument, pieces, merges, evidence.marks)

    def encode(self, text: str) -> Ids:
        utf8(text)
        batch = self._encoder.encode_batch_fast(list(cut_pieces([text])), add_special_tokens=False)
        parts = [np.asarray(item.ids, dtype=self.dtype) for item in batch]
        return np.concatenate(parts) if parts else np.empty(0, dtype=self.dtype)

    def cut(self, text: str) -> int:
        return last_cut(text)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        numbers = np.asarray(ids, dtype=np.int64).tolist()
        return b"".join(map(self._bytes.__getitem__, numbers)).decode("utf-8", errors="replace")

    def labels(self) -> list[str]:
        return [*map(byte_label, self._bytes[: len(self.pieces)]), *self.specials]

    def streamer(self) -> ByteStreamer:
        return ByteStreamer(self._bytes)

    def to_json(self) -> dict[str, Any]:
        merges = [list(merge) for merge in self.merges]
        marks = list(self.specials)
        return {"kind": self.kind, "asked": self.asked, "pieces": self.pieces, "merges": merges, "marks": marks}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "BpeTokenizer":
        asked = entry_of("bpe", data, "asked", int)
        pieces, merges, marks = (entry_of("bpe", data, key, list) for key in ("pieces", "merges", "marks"))
        return cls(asked, pieces, merges, marks)


def byte_alphabet() -> dict[str, int]:
    """The printable sign that stands for each byte, as in GPT-2: itself where it prints, else one from U+0100 on."""
    prints = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in set(prints)]
    return {chr(value): value for value in prints} | {chr(256 + place): value for place, value in enumerate(others)}


def byte_label(piece: bytes) -> str:
    """A label for some bytes: their text where they are text, else their numbers."""
    try:
        return label(piece.decode("utf-8"))
    except UnicodeDecodeError:
        return "0x" + piece.hex().upper()


def last_cut(text: str) -> int:
    """The last index where cutting changes nothing; 0 where there is none.

    That is before a space or line end that follows something other than white space: a run of white space stays whole,
    and the space stays with the word after it.
    """
    where = max(text.rfind("\n"), text.rfind(" "))
    while where > 0 and (text[where] not in " \n" or text[where - 1].isspace()):
        where -= 1
    return max(where, 0)


def cut_pieces(chunks: Iterable[str]) -> Iterator[str]:
    """A text that comes in any chunks, cut where cutting changes nothing, into pieces of some hundred kilobytes."""
    held = ""
    for chunk in chunks:
        held += chunk
        start = 0
        while len(held) - start > PIECE:
            where = next_cut(held, start + PIECE)
            if where < 0:
                break
            yield held[start:where]
            start = where
        held = held[start:]
    if held:
        yield held


def next_cut(text: str, start: int) -> int:
    """The first index from `start` on where cutting changes nothing, as `last_cut` has it; -1 where there is none."""
    found = CUT.search(text, start)
    return found.start() if found else -1
