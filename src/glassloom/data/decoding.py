"""Bytes to text, in chunks: encodings, byte-order marks, line ends; then lower case and normalisation.

Everything here works on a text of any size in bounded memory: chunks are cut only where cutting changes nothing.
"""

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from encodings.aliases import aliases
from pathlib import Path
from typing import IO

from glassloom.data.settings import DataSettings
from glassloom.errors import CorpusError, SettingError, nearest

CHUNK = 1 << 22
"""Bytes read at once."""

PLAIN = "plain"
"""Stands for UTF-8 that we wrote ourselves, in which nothing is a byte-order mark."""

MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
)
"""Byte-order marks. UTF-32 before UTF-16, whose mark is the start of the other's."""


def find_encoding(name: str) -> str:
    """The name of a text encoding as Python has it. Raises SettingError naming the nearest one."""
    try:
        found = codecs.lookup(name)
        if found._is_text_encoding and name not in ("undefined", "idna", "punycode"):
            return found.name
    except (LookupError, ValueError):
        pass
    known = sorted({*aliases, *(value.replace("_", "-") for value in aliases.values())})
    hint = nearest(name, known)
    raise SettingError(
        f"There is no text encoding called {name!r}",
        "an encoding that Python knows, such as utf-8, latin-1, cp1252 or utf-16",
        hint if len(hint) < 100 else "say --encoding latin-1, for example",
    )


class Oddities:
    """What was met on the way and could be used after all; said once, when the whole text was read."""

    def __init__(self) -> None:
        self.byte_order_marks: dict[str, str] = {}
        self.with_crlf: dict[str, None] = {}

    def notices(self) -> list[str]:
        """One line each."""
        lines = []
        for kind in dict.fromkeys(self.byte_order_marks.values()):
            names = [name for name, found in self.byte_order_marks.items() if found == kind]
            if kind == "UTF-8":
                lines.append(f"{some(names)} begins with a byte-order mark; it was dropped.")
            else:
                lines.append(f"{some(names)} is {kind}, as its byte-order mark says; it was read as that.")
        if self.with_crlf:
            lines.append(
                f"{some(list(self.with_crlf))} has Windows line ends (CR LF); they were read as line ends (LF)."
            )
        return lines


def some(names: list[str]) -> str:
    """One name, or the first one and how many more."""
    return names[0] if len(names) == 1 else f"{names[0]} (and {len(names) - 1} more)"


def decode_file(path: Path, encoding: str, name: str, oddities: Oddities) -> Iterator[str]:
    """The text of a file, chunk by chunk. Raises CorpusError naming the offset of the first byte that is no text."""
    try:
        with path.open("rb") as file:
            yield from decode_bytes(file, encoding, name, oddities)
    except OSError as error:
        raise CorpusError(
            f"{name} cannot be read: {error.strerror or error}", "a readable file", "check its permissions"
        ) from None


def decode_bytes(file: IO[bytes], encoding: str, name: str, oddities: Oddities) -> Iterator[str]:
    """The text of an open file, chunk by chunk, with LF line ends and without a byte-order mark."""
    data = file.read(CHUNK)
    offset = 0
    chosen = "utf-8" if encoding in ("auto", PLAIN) else encoding
    for mark, codec, kind in MARKS if encoding != PLAIN else ():
        if data.startswith(mark) and (encoding == "auto" or codecs.lookup(encoding).name == codec):
            oddities.byte_order_marks[name] = kind
            data, offset, chosen = data[len(mark) :], len(mark), codec
            break
    decoder = codecs.getincrementaldecoder(chosen)(errors="strict")
    held = ""
    while True:
        pending = decoder.getstate()[0]
        waiting = len(pending) if isinstance(pending, bytes) else 0
        try:
            text = held + decoder.decode(data, final=not data)
        except UnicodeError as error:
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise not_text(name, chosen, encoding, offset - waiting + start, error) from None
        offset += len(data)
        held = "\r" if data and text.endswith("\r") else ""
        text = text[: len(text) - len(held)]
        if "\r\n" in text:
            oddities.with_crlf[name] = None
            text = text.replace("\r\n", "\n")
        if text:
            yield text
        if not data:
            return
        data = file.read(CHUNK)


def not_text(name: str, codec: str, asked: str, offset: int, error: UnicodeError) -> CorpusError:
    """The error for bytes that are no text in their encoding."""
    shown = ""
    if isinstance(error, UnicodeDecodeError) and error.start < len(error.object):
        shown = f" (0x{error.object[error.start]:02X})"
    kind = "UTF-8" if codec == "utf-8" else codec
    fix = (
        "say the encoding of the file, such as --encoding latin-1 or --encoding cp1252"
        if asked == "auto"
        else "say another --encoding, or leave it out"
    )
    return CorpusError(f"{name} is not {kind}: byte {offset:,}{shown} cannot be decoded", f"text in {kind}", fix)


def transform(chunks: Iterable[str], settings: DataSettings) -> Iterator[str]:
    """The text lower-cased and normalised as the settings say: exactly as if it had been one string."""
    if not settings.lowercase and settings.normalize == "none":
        yield from chunks
        return
    held = ""
    for chunk in chunks:
        text = held + chunk
        where = last_safe_cut(text)
        held = text[where:]
        if where:
            yield transformed(text[:where], settings)
    if held:
        yield transformed(held, settings)


def transformed(text: str, settings: DataSettings) -> str:
    """The text in lower case and normalised, as the settings ask."""
    if settings.lowercase:
        text = text.lower()
    return text if settings.normalize == "none" else unicodedata.normalize(settings.normalize, text)


def last_safe_cut(text: str) -> int:
    """The last index where cutting changes neither lower case nor any normalisation; 0 where there is none.

    Before a space or line end: neither joins with what stands before it, and Greek final sigma looks no further.
    """
    return max(text.rfind("\n"), text.rfind(" "), 0)


def limit(chunks: Iterable[str], characters: int | None) -> Iterator[str]:
    """No more than the first `characters` characters."""
    if characters is None:
        yield from chunks
        return
    left = characters
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def encoded(text: str, before: int) -> bytes:
    """UTF-8 bytes. Raises CorpusError naming a lone surrogate and where it stands."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"The text holds a lone surrogate, U+{ord(text[error.start]):04X}, at character {before + error.start:,}",
            "valid Unicode text, in which surrogates stand only inside UTF-16",
            "read the text with its right encoding, or remove that character",
        ) from None
