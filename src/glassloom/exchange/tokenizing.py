"""Our tokenizers as those of the tokenizers library, with the same ids, and back.

    char   WordLevel over single characters             an unknown one is an error, or `.unk` where that is there
    byte   BPE of the 256 bytes without a merge         in the byte alphabet of GPT-2
    word   WordLevel over what white space parts        a line end is `<eos>`, a word outside is `<unk>`
    bpe    BPE over bytes, as in GPT-2

Special ids (`.pad`, `.start`, `.end`) stand in the vocabulary, spelt as no text is, but are no added tokens: a text
that spells one of them is a text, as it is here.
"""

import json
from collections.abc import Mapping
from typing import Any

from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from glassloom.data.tokenizers.bpe import byte_alphabet
from glassloom.errors import InputError

REPLACEMENT = "\ufffd"
NEVER = "\n\0"
"""No word begins with it."""


def as_library(tokenizer: Tokenizer) -> Any:
    """A `tokenizers.Tokenizer` with the same ids.

    >>> as_library(CharTokenizer("abc")).encode("cab").ids
    [2, 0, 1]

    Raises:
        InputError: the kind of tokenizer is none of ours.
    """
    if isinstance(tokenizer, CharTokenizer):
        return char(tokenizer)
    if isinstance(tokenizer, WordTokenizer):
        return word(tokenizer)
    if isinstance(tokenizer, ByteTokenizer):
        return byte_pairs(
            [piece for piece, _ in sorted(byte_alphabet().items(), key=lambda one: one[1])], [], tokenizer
        )
    if isinstance(tokenizer, BpeTokenizer):
        return byte_pairs(tokenizer.pieces, tokenizer.merges, tokenizer)
    raise InputError(
        f"The tokenizer {tokenizer.name} has no counterpart in the tokenizers library",
        "char, byte, word or bpe",
        "export to html instead",
    )


def char(tokenizer: CharTokenizer) -> Any:
    """Single characters: whatever they are, each is a word of its own."""
    from tokenizers import Regex, decoders, models, pre_tokenizers
    from tokenizers import Tokenizer as Library

    vocabulary = {symbol: place for place, symbol in enumerate(tokenizer.symbols)} | tokenizer.specials
    unknown = {"unk_token": ".unk"} if ".unk" in tokenizer.specials else {}
    library = Library(models.WordLevel(vocabulary, **unknown))
    library.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    blank = [decoders.Replace(mark, REPLACEMENT if mark == ".unk" else "") for mark in tokenizer.specials]
    library.decoder = decoders.Sequence([*blank, decoders.Fuse()])
    return library


def byte_pairs(pieces: list[str], merges: list[tuple[str, str]], tokenizer: Tokenizer) -> Any:
    """Pieces of bytes, spelt in the byte alphabet of GPT-2."""
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, pre_tokenizers

    marks = {unreachable(mark): place for mark, place in tokenizer.specials.items()}
    vocabulary = {piece: place for place, piece in enumerate(pieces)} | marks
    library = Library(models.BPE(vocab=vocabulary, merges=merges))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    blank = [decoders.Replace(mark, "") for mark in marks]
    library.decoder = decoders.Sequence([*blank, decoders.ByteLevel()]) if blank else decoders.ByteLevel()
    return library


def word(tokenizer: WordTokenizer) -> Any:
    """Words between white space (as Python has it: the separators U+001C to U+001F are), each line end `<eos>`."""
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Library

    marks = {unreachable(mark): place for mark, place in tokenizer.specials.items() if place >= len(tokenizer.words)}
    vocabulary = {word: place for place, word in enumerate(tokenizer.words)} | marks
    library = Library(models.WordLevel(vocabulary, unk_token="<unk>"))
    library.normalizer = normalizers.Sequence(
        [normalizers.Replace("\n", " <eos> "), normalizers.Replace(Regex("[\x1c-\x1f]"), " ")]
    )
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.decoder = decoders.Sequence(
        [
            decoders.Replace(Regex("^<eos>$"), "\n"),
            decoders.WordPiece(prefix=NEVER, cleanup=False),
            decoders.Fuse(),
            decoders.Replace(Regex(" ?\n ?"), "\n"),
        ]
    )
    return library


def unreachable(mark: str) -> str:
    """A special id's spelling that no text has: no piece of bytes and no word holds a space."""
    return f" {mark}"


def tokenizer_files(tokenizer: Tokenizer, longest: int | None) -> dict[str, bytes]:
    """The files by which `AutoTokenizer` finds the same ids; `longest`: how many tokens the model takes, if any."""
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
        "glassloom": {"kind": tokenizer.kind, "name": tokenizer.name, "marks": list(tokenizer.specials)},
    }
    if longest is not None:
        config["model_max_length"] = longest
    library = json.loads(as_library(tokenizer).to_str())
    return {"tokenizer.json": as_bytes(library), "tokenizer_config.json": as_bytes(config)}


def as_bytes(document: Mapping[str, Any]) -> bytes:
    """Readable JSON."""
    return (json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()
