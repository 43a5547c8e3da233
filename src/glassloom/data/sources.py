"""Where a text comes from: a file, a folder, standard input, strings, or a listed name.

Each becomes a `Source`: pieces of text that can be read again and again, since preparing a text takes two passes.
"""

import contextlib
import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, BinaryIO, Literal

from glassloom.data.decoding import PLAIN, Oddities, decode_bytes, decode_file, encoded
from glassloom.data.settings import Shares
from glassloom.data.store import storing, temporary_file
from glassloom.errors import CorpusError, nearest, notice

Progress = Callable[[str, float], None]
"""Told what is being done, and which fraction of it is done."""

SPLITS = ("train", "valid", "test")
SHARES: Shares = (0.9, 0.05, 0.05)
"""The shares of train, valid and test where nothing else is said."""

SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages", "dist-packages"}


@dataclass(frozen=True)
class Piece:
    """A stretch of text. `read` gives its chunks, or, where `items` is set, its sequences one by one."""

    name: str
    read: Callable[[], Iterable[str]]
    size: int = 0
    split: str | None = None
    items: bool = False


@dataclass(frozen=True)
class Source:
    """A text to be prepared, and what it says about itself.

    Pieces have a `split` where the corpus defines its splits, else none and `shares` decides. `key` is what tells,
    without reading it, that a text is still the same; None where nothing does.
    """

    name: str
    where: str
    pieces: tuple[Piece, ...]
    key: list[object] | None = None
    newest_nanoseconds: int = 0
    split_rule: str | None = None
    tokenizer: str = "char"
    shares: Shares = SHARES
    sequences: Literal["stream", "lines", "paragraphs"] = "stream"
    spread: bool = False
    by_files: bool = False
    entropy_nats: float | None = None
    oddities: Oddities = field(default_factory=Oddities)
    notices: tuple[str, ...] = ()
    close: Callable[[], None] = lambda: None
    """Gives back what the source held while it was read."""

    @property
    def size(self) -> int:
        """Bytes to be read in one pass, for progress."""
        return sum(piece.size for piece in self.pieces)


def file_source(path: Path, encoding: str) -> Source:
    """The text of one file. Raises CorpusError where there is none, or it cannot be read."""
    if not path.exists():
        raise missing(path)
    if not path.is_file():
        with open_or_refuse(path) as stream:
            return spooled(stream, path.name, str(path), encoding)
    oddities = Oddities()
    return Source(
        name=path.stem or path.name,
        where=str(path),
        pieces=(file_piece(path, path.name, encoding, oddities),),
        key=[identity(path)],
        newest_nanoseconds=newest([path]),
        oddities=oddities,
    )


def file_piece(path: Path, name: str, encoding: str, oddities: Oddities, split: str | None = None) -> Piece:
    """One file as a piece of text, decoded when it is read."""
    return Piece(name, lambda: decode_file(path, encoding, name, oddities), path.stat().st_size, split)


def open_or_refuse(path: Path) -> BinaryIO:
    """The opened file. Raises CorpusError where it cannot be read."""
    try:
        return path.open("rb")
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}", "a file of text", "give another file") from None


def missing(path: Path) -> CorpusError:
    """The error for a path where there is nothing, naming what is called alike there."""
    folder = path.parent
    there = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    hint = nearest(path.name, there) if there else "check the path"
    return CorpusError(
        f"There is no file or folder {path}",
        "a file, a folder, - for standard input, or a listed name (`glassloom corpora` lists them)",
        hint if hint.startswith("did") else "check the path",
    )


def standard_input_source(encoding: str) -> Source:
    """What comes through standard input, kept in a temporary file while it is prepared."""
    return spooled(sys.stdin.buffer, "stdin", "standard input", encoding)


def spooled(stream: BinaryIO, name: str, where: str, encoding: str) -> Source:
    """A stream that can be read only once, copied into a file that goes when the source does."""
    kept = temporary_file()
    with closed_on_error(kept), storing(Path(kept.name)):
        shutil.copyfileobj(stream, kept)
        kept.flush()
    return kept_source(kept, name, where, encoding, Oddities())


def kept_source(kept: IO[bytes], name: str, where: str, encoding: str, oddities: Oddities) -> Source:
    """The text of an open temporary file, read from its start each time."""

    def read() -> Iterator[str]:
        kept.seek(0)
        return decode_bytes(kept, encoding, where, oddities)

    return Source(name, where, (Piece(name, read, kept.tell()),), oddities=oddities, close=kept.close)


@contextlib.contextmanager
def closed_on_error(kept: IO[bytes]) -> Iterator[None]:
    """Close the file where the block fails; it is not left to chance."""
    try:
        yield
    except BaseException:
        kept.close()
        raise


def strings_source(text: str | Iterable[str], name: str, as_sequences: bool) -> Source:
    """Text from Python: a string, or several.

    Several strings are one text in pieces, or one sequence each where sequences are asked for.
    """
    oddities = Oddities()
    if isinstance(text, str):
        return Source(name, "the string", (Piece(name, lambda: unix_lines([text], name, oddities), len(text)),),
                      oddities=oddities)  # fmt: skip
    where = "the strings"
    if as_sequences:
        strings = [checked_string(each) for each in text]
        return Source(name, where, (Piece(name, lambda: strings, sum(map(len, strings)), items=True),))
    kept = temporary_file()
    before = 0
    with closed_on_error(kept), storing(Path(kept.name)):
        for each in unix_lines(map(checked_string, text), name, oddities):
            kept.write(encoded(each, before))
            before += len(each)
        kept.flush()
    return kept_source(kept, name, where, PLAIN, oddities)


def unix_lines(chunks: Iterable[str], name: str, oddities: Oddities) -> Iterator[str]:
    """The chunks with CR LF read as LF."""
    held = ""
    for chunk in chunks:
        text = held + chunk
        held = "\r" if text.endswith("\r") else ""
        text = text[: len(text) - len(held)]
        if "\r\n" in text:
            oddities.with_crlf[name] = None
        yield text.replace("\r\n", "\n")
    if held:
        yield held


def checked_string(each: object) -> str:
    """The string, if it is one. Raises CorpusError."""
    if not isinstance(each, str):
        raise CorpusError(
            f"The text holds {each!r}, which is of type {type(each).__name__}", "strings only", "turn it into a string"
        )
    return each


def folder_source(folder: Path, encoding: str, shares: Shares | None = None) -> Source:
    """All texts in a folder and below it, in the order of their paths, split by whole files.

    Hidden files are left out; those that are no text in the encoding, or cannot be read, are skipped with a notice.
    """
    files = [path for path in walk(folder) if not any(p.startswith(".") for p in path.relative_to(folder).parts)]
    kept, skipped, oddities = texts_among(folder, files, encoding)
    if not kept:
        raise CorpusError(
            f"The folder {folder} has no text that can be read ({len(files):,} file{'s'[: len(files) != 1]} seen)",
            "at least one file of text",
            "give another folder, or say the --encoding of its files",
        )
    notices = []
    if skipped:
        shown = ", ".join(skipped[:3]) + (f" and {len(skipped) - 3:,} more" if len(skipped) > 3 else "")
        notices = [
            f"{len(skipped):,} file{'s'[: len(skipped) > 1]} of {folder} skipped, being no readable text: {shown}."
        ]
    name = folder.resolve().name or "folder"
    return whole_files(name, str(folder), folder, kept, encoding, shares, oddities, tuple(notices))


def whole_files(
    name: str,
    where: str,
    folder: Path,
    files: list[Path],
    encoding: str,
    shares: Shares | None,
    oddities: Oddities,
    notices: tuple[str, ...] = (),
) -> Source:
    """Files that go to train, valid and test as wholes, in the order given."""
    sizes = [path.stat().st_size for path in files]
    splits = named_splits(files) if shares is None else None
    rule = "the corpus's own files for train, valid and test" if splits else None
    if splits is None and (splits := share_out(sizes, shares or SHARES)) is not None:
        real = [
            sum(size for size, of in zip(sizes, splits, strict=True) if of == split) / sum(sizes) for split in SPLITS
        ]
        parts = [
            f"{split} {splits.count(split):,} ({share:.1%} of the bytes)"
            for split, share in zip(SPLITS, real, strict=True)
            if share
        ]
        rule = f"by whole files: {', '.join(parts)}"
        notices = (*notices, *far_from_wanted(name, len(files), real, shares or SHARES))
    pieces = tuple(
        ended_by_line(
            file_piece(path, str(path.relative_to(folder)), encoding, oddities, splits[i] if splits else None)
        )
        for i, path in enumerate(files)
    )
    key: list[object] = [[identity(path), str(path.relative_to(folder))] for path in files]
    return Source(
        name,
        where,
        pieces,
        key=[*key, splits],
        newest_nanoseconds=newest([folder, *files]),
        split_rule=rule,
        shares=shares or SHARES,
        by_files=splits is not None,
        oddities=oddities,
        notices=notices,
    )


def named_splits(files: list[Path]) -> list[str] | None:
    """The splits of files that are named after them, such as ptb.train.txt or dev.txt; None where any is not."""
    endings = {
        "train": "train",
        "valid": "valid",
        "validation": "valid",
        "val": "valid",
        "dev": "valid",
        "test": "test",
    }
    found: list[str] = []
    for path in files:
        meant = {endings[part] for part in re.split(r"[._-]", path.stem.lower()) if part in endings}
        if len(meant) != 1:
            return None
        found += meant
    return found if {"train", "valid"} <= set(found) else None


def far_from_wanted(name: str, files: int, real: Sequence[float], wanted: Shares) -> list[str]:
    """One line where whole files cannot give the shares that were wanted: one is not half, or more than twice that."""
    if all(share / 2 <= part <= share * 2 for part, share in zip(real, wanted, strict=True)):
        return []
    shares = ", ".join(f"{split} {part:.1%}" for split, part in zip(SPLITS, real, strict=True))
    asked = "/".join(f"{100 * share:g}" for share in wanted if share)
    return [
        f"The {files:,} files of {name} are split as wholes, which gives {shares} instead of {asked}. Join them into "
        "one file, which is split anywhere, or say with --split what suits them."
    ]


def share_out(sizes: Sequence[int], shares: Shares) -> list[str] | None:
    """The split of each file, so that the bytes come near the shares; None where there are too few files for that.

    A file goes where its middle falls; a wanted split that got none takes a file from the split that has most.
    """
    wanted = [split for split, share in zip(SPLITS, shares, strict=True) if share > 0][: len(sizes)]
    if len(sizes) < 2 or "valid" not in wanted:
        return None
    counts = dict.fromkeys(SPLITS, 0)
    whole, before = sum(sizes), 0
    for size in sizes:
        middle = (before + size / 2) / whole
        split = "train" if middle < shares[0] else "valid" if middle < shares[0] + shares[1] else "test"
        counts[split if split in wanted else "valid"] += 1
        before += size
    for split in wanted:
        if not counts[split]:
            counts[max(counts, key=counts.__getitem__)] -= 1
            counts[split] = 1
    return [split for split in SPLITS for _ in range(counts[split])]


def walk(folder: Path) -> list[Path]:
    """Every file in a folder and below, in the order of their paths."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        found += [Path(parent, name) for name in names]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def texts_among(folder: Path, files: list[Path], encoding: str) -> tuple[list[Path], list[str], Oddities]:
    """The files that are text and not empty, the names of those that are not text, and what was odd about them."""
    kept, skipped, oddities = [], [], Oddities()
    for path in files:
        try:
            if not path.is_file() or not path.stat().st_size:
                continue
            with path.open("rb") as file:
                start = file.read(8192)
            wide = start.startswith((b"\xff\xfe", b"\xfe\xff")) or "16" in encoding or "32" in encoding
            if b"\0" in start and not wide:
                raise CorpusError(f"{path} is binary")
            for _ in decode_file(path, encoding, str(path.relative_to(folder)), Oddities()):
                pass
        except (CorpusError, OSError):
            skipped.append(str(path.relative_to(folder)))
        else:
            kept.append(path)
    return kept, skipped, oddities


def ended_by_line(piece: Piece) -> Piece:
    """The piece with a line end after it where it has none, so that files do not run into each other."""

    def read() -> Iterator[str]:
        last = ""
        for chunk in piece.read():
            yield chunk
            last = chunk[-1:] or last
        if last and last != "\n":
            yield "\n"

    return Piece(piece.name, read, piece.size, piece.split)


def identity(path: Path) -> list[object]:
    """What changes when a file is written: path, size, times and inode."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def newest(paths: Iterable[Path]) -> int:
    """The time of the last change to any of the files, in nanoseconds."""
    return max((max(status.st_mtime_ns, status.st_ctime_ns) for status in (path.stat() for path in paths)), default=0)


def shuffled(paths: list[Path], folder: Path) -> list[Path]:
    """The files in an order that looks random and is the same everywhere: by the hash of their relative paths."""
    return sorted(paths, key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())


def say_all(lines: Iterable[str]) -> None:
    """One notice a line."""
    for line in lines:
        notice(line)
