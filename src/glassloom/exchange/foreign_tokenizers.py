"""A tokenizer.json of the tokenizers library as one of ours, where the two are the same; nothing is executed.

    BPE over bytes (GPT-2)                                    bpe; byte where there is no merge
    WordLevel over single characters, BPE without merges      char
    WordLevel over words, as our own export has it            word

Ours number their ids in an order of their own (characters by code point, special ids last), so the rows of the
embedding and of the output are put into that order.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Tokenizer, WordTokenizer
from glassloom.data.tokenizers.bpe import byte_alphabet
from glassloom.errors import InputError, notice
from glassloom.exchange.tokenizing import as_library
from glassloom.exchange.weight_files import document

FILE, VOCABULARY, MERGES = "tokenizer.json", "vocab.json", "merges.txt"
ONE = (r"[\s\S]", "(?s).", "(?s:.)", ".", "")
"""Patterns that part a text into single characters."""


@dataclass(frozen=True)
class ForeignTokenizer:
    """One of ours, and for each of its ids the id that it has there."""

    tokenizer: Tokenizer
    rows: list[int]


def foreign_tokenizer(folder: Path, vocabulary: int) -> ForeignTokenizer:
    """The tokenizer of a model folder, with as many ids as the model has rows.

    Raises:
        InputError: there is none, or it cuts texts as none of ours does (what stands in the way is named).
    """
    data = document_of(folder)
    model = data.get("model")
    vocab = model.get("vocab") if isinstance(model, dict) else None
    sound = isinstance(vocab, dict) and all(type(index) is int for index in vocab.values())
    if not isinstance(model, dict) or not isinstance(vocab, dict) or not sound:
        stands_in_the_way("model", "without a vocabulary of names and ids", "BPE or WordLevel")
    kind = model.get("type") or ("BPE" if "merges" in model else None)
    added = [one for one in data.get("added_tokens") or [] if isinstance(one, dict)]
    marks = {str(one.get("content")): one.get("id") for one in added if isinstance(one.get("id"), int)}
    ids = {index: name for name, index in vocab.items()} | {index: name for name, index in marks.items()}
    if ids and (max(ids) >= vocabulary or min(ids) < 0):
        raise InputError(
            f"The tokenizer has the id {max(ids):,}, and the model {vocabulary:,} rows",
            "a tokenizer and a model that belong together",
            "take both from the same folder",
        )
    plain = {name: index for name, index in vocab.items() if name not in marks}
    told_of_additions(data)
    parts = data.get("pre_tokenizer") or {}
    if kind == "BPE" and parts.get("type") == "ByteLevel":
        made = of_bytes(data, model, parts, plain)
    elif splits_characters(parts) if kind == "WordLevel" else kind == "BPE" and not (model.get("merges") or parts):
        made = of_characters(data, model, plain)
    elif kind == "WordLevel" and parts.get("type") == "WhitespaceSplit":
        made = of_words(data, plain)
    else:
        found = "its pre_tokenizer" if kind in ("BPE", "WordLevel") else "its model"
        what = parts.get("type") if kind in ("BPE", "WordLevel") else kind
        stands_in_the_way(found, what, "byte-level BPE as GPT-2 has it, or single characters")
    return completed(*made, ids, vocabulary)


Made = tuple[Callable[..., Tokenizer], dict[str, Any], list[int]]
"""A class of ours, what it is made of but for its marks, and the ids of its symbols there."""


def of_bytes(data: dict[str, Any], model: dict[str, Any], parts: dict[str, Any], plain: dict[str, int]) -> Made:
    """Byte-level BPE."""
    if parts.get("add_prefix_space"):
        stands_in_the_way("add_prefix_space", "on", "off")
    if data.get("normalizer"):
        stands_in_the_way("its normalizer", data["normalizer"].get("type"), "none")
    if not parts.get("use_regex", True) and model.get("merges"):
        stands_in_the_way("use_regex", "off", "on, as GPT-2 has it")
    for name in ("continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "dropout", "ignore_merges"):
        if model.get(name):
            stands_in_the_way(name, model[name], "none")
    alphabet = byte_alphabet()
    pieces = sorted((name for name in plain if name and set(name) <= set(alphabet)), key=plain.__getitem__)
    if not set(alphabet) <= set(pieces):
        stands_in_the_way("its vocabulary", "without some bytes", "all 256 bytes among the pieces")
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model.get("merges") or []]
    if not merges and len(pieces) == 256:
        return ByteTokenizer, {}, [plain[sign] for sign in sorted(alphabet, key=alphabet.__getitem__)]
    made = {"asked": len(pieces), "pieces": pieces, "merges": merges}
    return BpeTokenizer, made, [plain[piece] for piece in pieces]


def of_characters(data: dict[str, Any], model: dict[str, Any], plain: dict[str, int]) -> Made:
    """One id a character, in the order of code points."""
    if data.get("normalizer"):
        stands_in_the_way("its normalizer", data["normalizer"].get("type"), "none")
    symbols = sorted(name for name in plain if len(name) == 1)
    if not symbols:
        stands_in_the_way("its vocabulary", "without single characters", "single characters")
    return CharTokenizer, {"symbols": "".join(symbols), "unknown": model.get("unk_token")}, [plain[s] for s in symbols]


def of_words(data: dict[str, Any], plain: dict[str, int]) -> Made:
    """Words between white space, a line end being `<eos>`."""
    words = sorted((name for name in plain if name and not name.isspace() and " " not in name), key=plain.__getitem__)
    if not {"<eos>", "<unk>"} <= set(words):
        stands_in_the_way("its vocabulary", "without <eos> and <unk>", "both of them")
    own = json.loads(as_library(WordTokenizer(words)).to_str())["normalizer"]
    if data.get("normalizer") != own:
        stands_in_the_way("its normalizer", (data.get("normalizer") or {}).get("type"), "the one that Glassloom writes")
    return WordTokenizer, {"words": words}, [plain[word] for word in words]


def completed(
    make: Callable[..., Tokenizer], made: dict[str, Any], rows: list[int], ids: dict[int, str], size: int
) -> ForeignTokenizer:
    """The tokenizer with a mark for every id that spells nothing, so that each row of the model has its id."""
    there = set(rows)
    rest = [index for index in range(size) if index not in there]
    names = [ids.get(index, f".unused-{index}").strip() or f".unused-{index}" for index in rest]
    unknown = made.pop("unknown", None)
    if unknown is not None and unknown in names:
        names[names.index(unknown)] = ".unk"
    known = set(made.get("words", ())) if make is WordTokenizer else set()
    marks: list[str] = []
    for name, index in zip(names, rest, strict=True):
        marks.append(f".{name}-{index}" if name in marks or name in known else name)
    tokenizer = make(**made, marks=marks)
    assert tokenizer.size == size
    return ForeignTokenizer(tokenizer, [*rows, *rest])


def document_of(folder: Path) -> dict[str, Any]:
    """tokenizer.json; of GPT-2's first files, the same from vocab.json and merges.txt."""
    if (folder / FILE).is_file() or not (folder / VOCABULARY).is_file() or not (folder / MERGES).is_file():
        return document(folder / FILE)
    lines = (folder / MERGES).read_text(encoding="utf-8").split("\n")
    merges = [line for line in lines if line and not line.startswith("#version")]
    model = {"type": "BPE", "vocab": document(folder / VOCABULARY), "merges": merges}
    return {"model": model, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}}


def splits_characters(parts: dict[str, Any]) -> bool:
    """Whether a pre-tokenizer parts a text into single characters."""
    pattern = parts.get("pattern")
    given = next(iter(pattern.values()), None) if isinstance(pattern, dict) else None
    return parts.get("type") == "Split" and given in ONE and not parts.get("invert")


def told_of_additions(data: dict[str, Any]) -> None:
    """One line where the tokenizer puts something around each text, which ours does not."""
    after = data.get("post_processor") or {}
    if isinstance(after, dict) and after.get("type") not in (None, "ByteLevel"):
        notice(
            f"The tokenizer's {after.get('type')} puts special tokens around a text; here a text begins without them."
        )


def stands_in_the_way(name: str, value: Any, wanted: str) -> NoReturn:
    """Refuse a tokenizer, naming what is unlike ours."""
    raise InputError(
        f"In the way of the tokenizer stands {name}, which is {str(value)[:60]}",
        wanted,
        "see docs/formats.md for what can be imported",
    )
