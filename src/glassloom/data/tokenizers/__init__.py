"""Tokenizers: text to ids and back. A new one is one file, and one line in TOKENIZERS, or a package's entry point."""

from typing import Any

from glassloom.data.tokenizers.base import Evidence, Ids, Streamer, Tokenizer
from glassloom.data.tokenizers.bpe import BpeTokenizer
from glassloom.data.tokenizers.byte import ByteTokenizer
from glassloom.data.tokenizers.char import CharTokenizer
from glassloom.data.tokenizers.word import WordTokenizer
from glassloom.errors import InputError, SettingError, TokenizerError, nearest
from glassloom.plugins import Catalogue


def taken(name: str, what: Any) -> type[Tokenizer]:
    """The tokenizer that a package adds under a name. Raises InputError where it is none."""
    if not (isinstance(what, type) and issubclass(what, Tokenizer)):
        raise InputError(f"{what!r} is no subclass of Tokenizer")
    if getattr(what, "kind", None) != name:
        raise InputError(f"{what.__name__}.kind is not {name!r}")
    if missing := sorted(what.__abstractmethods__):
        raise InputError(f"{what.__name__} does not define {', '.join(missing)}")
    return what


TOKENIZERS: Catalogue[type[Tokenizer]] = Catalogue(
    "tokenizer",
    {
        "char": CharTokenizer,
        "byte": ByteTokenizer,
        "word": WordTokenizer,
        "bpe": BpeTokenizer,
    },
    taken,
)


def find_tokenizer(name: str) -> tuple[type[Tokenizer], int | None]:
    """The class that a name asks for, and its size where it carries one. Raises SettingError.

    >>> find_tokenizer("bpe:500")
    (<class 'glassloom.data.tokenizers.bpe.BpeTokenizer'>, 500)
    """
    kind, colon, size = name.partition(":")
    if kind not in TOKENIZERS:
        known = ["auto", *(f"{each}:500" if TOKENIZERS[each].needs_size else each for each in TOKENIZERS)]
        raise SettingError(f"There is no tokenizer called {name!r}", f"one of {', '.join(known)}", nearest(name, known))
    chosen = TOKENIZERS[kind]
    if not chosen.needs_size:
        if colon:
            raise SettingError(f"The tokenizer {kind} takes no size, but {name!r} has one", kind, f"say {kind}")
        return chosen, None
    if not (size.isascii() and size.isdigit()) or not 257 <= int(size) <= 1_000_000:
        raise SettingError(
            f"The tokenizer {name!r} has no usable size",
            f"{kind}:N with N, the number of pieces, from 257 (the bytes and one more) to 1,000,000",
            f"say {kind}:1000, for example",
        )
    return chosen, int(size)


def open_tokenizer(data: dict[str, Any]) -> Tokenizer:
    """The tokenizer of plain JSON data; nothing in it is executed. Raises TokenizerError.

    >>> open_tokenizer(CharTokenizer("abc").to_json()).encode("cab").tolist()
    [2, 0, 1]
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in TOKENIZERS:
        raise TokenizerError(
            f"The saved tokenizer is of no known kind: {kind!r}",
            f"one of {', '.join(TOKENIZERS)}",
            "use the tokenizer.json that was written with the run, and install the package that adds this tokenizer",
        )
    try:
        return TOKENIZERS[kind].from_json(data)
    except (TypeError, ValueError) as error:
        raise TokenizerError(
            f"The saved {kind} tokenizer is damaged ({error})",
            "the data that was written with the run",
            "use an unaltered tokenizer.json",
        ) from None


__all__ = [
    "TOKENIZERS",
    "BpeTokenizer",
    "ByteTokenizer",
    "CharTokenizer",
    "Evidence",
    "Ids",
    "Streamer",
    "Tokenizer",
    "WordTokenizer",
    "find_tokenizer",
    "open_tokenizer",
]
