"""What every tokenizer offers: text to ids and back, as plain JSON, in pieces or at once."""

import hashlib
import json
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from glassloom.errors import TokenizerError

Ids = npt.NDArray[np.unsignedinteger[Any]]

MARKS = (".pad", ".start", ".end")
"""The special ids of a corpus of sequences: filling, before the first token, after the last one."""


@dataclass(frozen=True)
class Evidence:
    """What a tokenizer may learn from: the symbols of the whole corpus, and the text of its train split alone."""

    symbols: str
    train: Callable[[], Iterable[str]]
    argument: int | None = None
    minimum_count: int = 1
    vocabulary_size: int | None = None
    marks: tuple[str, ...] = ()


class Streamer(Protocol):
    """Text out of single ids: what can be shown so far, and at the end what was held back."""

    def push(self, index: int) -> str: ...

    def flush(self) -> str: ...


class Tokenizer(ABC):
    """Text to ids and back.

    `name` is what asks for it (`char`, `bpe:500`), `size` the number of ids, `specials` the ids that spell no text of
    their own (or, for words, `<eos>` and `<unk>`).
    """

    kind: ClassVar[str]
    needs_size: ClassVar[bool] = False
    """Whether its name carries a size, as in `bpe:500`."""

    name: str
    size: int
    specials: dict[str, int]

    @classmethod
    @abstractmethod
    def learn(cls, evidence: Evidence) -> "Tokenizer":
        """Build the vocabulary."""

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """The ids of a text, in the smallest unsigned type. Raises TokenizerError for what has no id."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """The text that ids spell; bytes that are no UTF-8 become U+FFFD."""

    @abstractmethod
    def labels(self) -> list[str]:
        """One printable label per id, for figures."""

    @abstractmethod
    def streamer(self) -> Streamer:
        """Decodes one id at a time; bytes of an unfinished character are held back."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Plain data, of which `open_tokenizer` makes an equal tokenizer."""

    @classmethod
    @abstractmethod
    def from_json(cls, data: dict[str, Any]) -> "Tokenizer":
        """The tokenizer of that plain data."""

    def cut(self, text: str) -> int:
        """The last index where the text can be cut without changing its ids; 0 where there is none."""
        return len(text)

    def stretches(self, chunks: Iterable[str]) -> Iterator[str]:
        """A text that comes in pieces, cut where its ids do not change by it."""
        held = ""
        for chunk in chunks:
            text = held + chunk
            where = self.cut(text)
            held = text[where:]
            if where:
                yield text[:where]
        if held:
            yield held

    def encode_chunks(self, chunks: Iterable[str]) -> Iterator[Ids]:
        """The ids of a text that comes in pieces: exactly those of the whole text."""
        return map(self.encode, self.stretches(chunks))

    def unknown(self, text: str) -> list[tuple[str, int]]:
        """Each symbol that is not in the vocabulary, with the index of its first occurrence in the text."""
        return []

    def unspelt(self, text: str) -> Counter[str]:
        """The symbols of a text whose id does not say which they are, and how often each occurs."""
        return Counter()

    def spellings(self) -> list[str]:
        """The symbols of the vocabulary that have a spelling; empty where no symbol ever lacks one."""
        return []

    def drop_unknown(self, text: str) -> str:
        """The text without the symbols that are not in the vocabulary."""
        return text

    def lacks(self, symbols: str) -> str:
        """Those of these characters that cannot be encoded at all."""
        return ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every id."""
        return np.min_scalar_type(self.size - 1)

    @property
    def sha256(self) -> str:
        """The hash of its canonical JSON: equal tokenizers have equal hashes."""
        return hashlib.sha256(canonical(self.to_json())).hexdigest()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}, {self.size:,} ids>"


def canonical(data: Any) -> bytes:
    """JSON in one form only, for hashing."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """The code points of a text. Raises TokenizerError naming a lone surrogate, which no valid text holds."""
    try:
        return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"The text holds a lone surrogate, U+{ord(text[error.start]):04X}, at character {error.start:,}",
            "valid Unicode text, in which surrogates stand only inside UTF-16",
            "read the text with its right encoding, or remove that character",
        ) from None


def utf8(text: str) -> bytes:
    """The UTF-8 bytes of a text. Raises TokenizerError naming a lone surrogate."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        code_points(text)
        raise


def symbol_name(symbol: str) -> str:
    """A symbol as it can be printed anywhere, with its code point.

    >>> symbol_name("é"), symbol_name(chr(27))
    ("'é' U+00E9", 'U+001B')
    """
    if len(symbol) != 1:
        return repr(symbol)
    point = f"U+{ord(symbol):04X}"
    return f"'{symbol}' {point}" if symbol.isprintable() and not unicodedata.combining(symbol) else point


def label(text: str) -> str:
    """A piece of text as a short printable label: spaces and line ends get a sign, control characters their number.

    >>> label(" the"), label(chr(10)), label(chr(0))
    ('␣the', '⏎', 'U+0000')
    """
    signs = {" ": "␣", "\n": "⏎", "\t": "⇥"}
    shown = []
    for character in text:
        if character in signs:
            shown.append(signs[character])
        elif unicodedata.category(character).startswith("M"):
            shown.append("◌" + character if not shown else character)
        else:
            shown.append(character if character.isprintable() else f"U+{ord(character):04X}")
    return "".join(shown)


def entry_of(name: str, data: dict[str, Any], key: str, kind: type) -> Any:
    """An entry of saved tokenizer data, of the right type; TokenizerError where it is not."""
    value = data.get(key)
    if not isinstance(value, kind):
        raise TokenizerError(
            f"The saved {name} tokenizer has no usable entry {key!r}",
            f"an entry of type {kind.__name__}",
            "use the tokenizer.json that was written with the run",
        )
    return value
