"""A source's text as it is under the settings, as often as wanted: scanned once, then handed out by splits."""

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glassloom.data.decoding import encoded, limit, transform, transformed
from glassloom.data.settings import DataSettings, Shares
from glassloom.data.sources import SPLITS, Piece, Progress, Source
from glassloom.data.tokenizers.base import symbol_name


@dataclass
class Scan:
    """What one pass over a text tells: of each split that the corpus defines, or of the whole under no name."""

    digest: Any = field(default_factory=hashlib.sha256)
    flags: Any = field(default_factory=lambda: np.zeros(0x110000, dtype=bool))
    ascii: bytes = b""
    """The bytes seen in chunks of nothing but ASCII, which is quicker to look through."""
    sizes: dict[str, list[int]] = field(default_factory=dict)
    """Units (characters, or sequences), characters and UTF-8 bytes."""

    def add(self, split: str, text: str, unit: int) -> None:
        sizes = self.sizes.setdefault(split, [0, 0, 0])
        data = encoded(text, sizes[1])
        self.digest.update(data)
        if len(data) == len(text):
            self.ascii = bytes(sorted({*self.ascii, *data.translate(None, self.ascii)}))
        else:
            self.flags[np.frombuffer(text.encode("utf-32-le"), dtype="<u4")] = True
        sizes[0] += unit
        sizes[1] += len(text)
        sizes[2] += len(data)

    @property
    def sha256(self) -> str:
        return str(self.digest.hexdigest())

    @property
    def symbols(self) -> str:
        """Every character that occurs, sorted."""
        self.flags[list(self.ascii)] = True
        return "".join(map(chr, np.flatnonzero(self.flags).tolist()))

    @property
    def characters(self) -> int:
        return sum(size[1] for size in self.sizes.values())

    def notices(self) -> list[str]:
        """One line on characters that rarely belong into a text."""
        odd = [each for each in self.symbols if unicodedata.category(each) == "Cc" and each not in "\n\t"]
        if not odd:
            return []
        shown = ", ".join(map(symbol_name, odd[:5])) + (f" and {len(odd) - 5} more" if len(odd) > 5 else "")
        nul = " (U+0000 is NUL; perhaps the file is not text, or is UTF-16)" if "\0" in odd else ""
        return [f"The text has control characters, which were kept: {shown}{nul}."]


class Reader:
    """A source's text under the settings, as often as wanted, and where it is split."""

    def __init__(self, source: Source, settings: DataSettings, progress: Progress | None) -> None:
        self.source, self.settings, self.progress = source, settings, progress
        asked = settings.sequences
        self.kind = source.sequences if asked == "auto" else asked
        self.in_sequences = self.kind != "stream" or any(piece.items for piece in source.pieces)
        self.shares: Shares = settings.shares or source.shares
        self.own = any(piece.split for piece in source.pieces) and (settings.split is None or source.by_files)
        self.total = 0
        self.scanned: Scan | None = None

    def scan(self) -> Scan:
        """The first pass."""
        scan = Scan()
        for split, text in self.units("reading"):
            scan.add(split, text, 1 if self.in_sequences else len(text))
            if self.in_sequences:
                scan.digest.update(b"\n")
        self.total = sum(sizes[0] for sizes in scan.sizes.values())
        self.scanned = scan
        return scan

    def units(self, doing: str) -> Iterator[tuple[str, str]]:
        """The text as (split or no name, chunk or sequence)."""
        groups: dict[str, list[Piece]] = {}
        for piece in self.source.pieces:
            groups.setdefault((piece.split or "") if self.own else "", []).append(piece)
        done = 0
        for split in ("", *SPLITS):
            pieces = groups.get(split, [])
            shorten = self.settings.first_characters if split in ("", "train") else None
            for text in self.pieces_text(pieces, shorten):
                yield split, text
                if self.progress is not None:
                    done += len(text)
                    self.progress(doing, min(done / max(self.source.size, 1), 1.0))
        if self.progress is not None:
            self.progress(doing, 1.0)

    def pieces_text(self, pieces: list[Piece], characters: int | None) -> Iterator[str]:
        if any(piece.items for piece in pieces):
            items = (transformed(item, self.settings) for piece in pieces for item in piece.read())
            yield from (item for item in limit(items, characters) if item)
            return
        chunks = limit(transform((chunk for piece in pieces for chunk in piece.read()), self.settings), characters)
        if self.kind == "stream":
            yield from chunks
        else:
            end = "" if self.settings.marks == "special" else "\n"
            cuts = cut_at(chunks, "\n" if self.kind == "lines" else "\n\n")
            yield from (sequence + end for sequence in cuts if sequence)

    def split_units(self, doing: str) -> Iterator[tuple[str, str]]:
        """The text as (split, chunk or sequence), by the corpus's own splits or by the shares."""
        if self.own:
            yield from self.units(doing)
            return
        ends = self.ends()
        before = 0
        for _, text in self.units(doing):
            if self.in_sequences:
                yield self.split_of(before, ends), text
                before += 1
                continue
            start = 0
            for split, end in zip(SPLITS, ends, strict=True):
                stop = min(max(end - before, start), len(text))
                if stop > start:
                    yield split, text[start:stop]
                start = stop
            before += len(text)

    def ends(self) -> list[int]:
        """Where each split ends, in characters or sequences."""
        train, valid, _ = self.shares
        first = int(self.total * train + 1e-9)
        second = self.total if not self.shares[2] else int(self.total * (train + valid) + 1e-9)
        return [first, max(first, second), self.total]

    def split_of(self, index: int, ends: list[int]) -> str:
        """The split of a sequence: by its place, or spread so that each split has some of everything."""
        if not self.source.spread:
            return next(split for split, end in zip(SPLITS, ends, strict=True) if index < end)
        _, valid, test = self.shares
        held_out = [int(place * (valid + test) + 1e-9) for place in (index, index + 1)]
        if held_out[0] == held_out[1]:
            return "train"
        share = test / (valid + test)
        return "test" if int(held_out[1] * share + 1e-9) > int(held_out[0] * share + 1e-9) else "valid"

    def train(self) -> Iterator[str]:
        """The text of the train split alone, a line end after each sequence, so that no word runs on into the next."""
        for split, text in self.split_units("learning the vocabulary"):
            if split == "train":
                yield text + "\n" if self.in_sequences and not text.endswith("\n") else text

    def rule(self) -> str:
        """How the text is split, as a sentence."""
        shortened = self.settings.first_characters
        first = (
            f"; of the {'train' if self.own else 'whole'} text the first {shortened:,} characters" if shortened else ""
        )
        if self.own and not self.settings.memorises:
            return (self.source.split_rule or "the corpus's own") + first
        if self.settings.memorises:
            return "all of it to train on, and the very same text to validate on: memorisation" + first
        shares = "/".join(f"{100 * share:g}" for share in self.shares if share)
        kind = f", whole {self.kind if self.kind != 'stream' else 'sequences'}" if self.in_sequences else ""
        return f"{shares}, {'spread evenly' if self.source.spread else 'contiguous'}{kind}{first}"


def cut_at(chunks: Iterable[str], mark: str) -> Iterator[str]:
    """The text between line ends, or between blank lines, one stretch at a time."""
    held = ""
    for chunk in chunks:
        *whole, held = (held + chunk).split(mark)
        yield from (text.strip("\n") for text in whole)
    yield held.strip("\n")
