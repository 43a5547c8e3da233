"""A corpus's train split as symbols that can be compared, piece by piece; and held-out text to compare with.

Symbols are characters or, for a word tokenizer, which does not give the text back, words.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from glassloom.data.corpus import Corpus, Split
from glassloom.data.tokenizers import Tokenizer
from glassloom.data.tokenizers.base import code_points
from glassloom.views.copies import Integers, Piece

TOKENS = 1 << 18
"""So many tokens of train are read at once."""
BORDER = 0x110000
"""Stands between two sequences; no character has that number."""


def unit_of(tokenizer: Tokenizer) -> str:
    """What is compared: `characters`, or `words` where unknown ones make the text impossible to give back."""
    return "words" if "<unk>" in tokenizer.specials else "characters"


def symbols_of(text: str, tokenizer: Tokenizer) -> Integers:
    """A text as the numbers that are compared."""
    return tokenizer.encode(text) if unit_of(tokenizer) == "words" else code_points(text)


def train_pieces(corpus: Corpus, longest: int, most_tokens: int | None = None) -> Iterator[Piece]:
    """The train split as symbols, piece by piece, each going on so far that a match of `longest` symbols is whole.

    Of sequences, each is followed by a border, which counts as one symbol.
    """
    train, tokenizer = corpus.train, corpus.tokenizer
    end = train.tokens if most_tokens is None else min(train.tokens, most_tokens)
    if train.starts is not None:
        yield from sequence_pieces(train, tokenizer, end)
        return
    begin, place, words = 0, 0, unit_of(tokenizer) == "words"
    while begin < end:
        stop = whole(train, tokenizer, min(begin + TOKENS, end))
        after = train.ids[stop : min(stop + 4 * longest, end)]  # a character has at most four bytes, each a token
        if words:
            own, more = np.asarray(train.ids[begin:stop]), np.asarray(after)
        else:
            own, more = code_points(tokenizer.decode(train.ids[begin:stop])), code_points(tokenizer.decode(after))
        yield Piece(place, np.concatenate([own, more]), len(own))
        begin, place = stop, place + len(own)


def whole(train: Split, tokenizer: Tokenizer, stop: int) -> int:
    """The first place from `stop` on, of at most three more, where no character is cut in two."""
    for place in range(stop, min(stop + 4, train.tokens)):
        if not tokenizer.decode(train.ids[place : place + 4]).startswith("\ufffd"):
            return place
    return min(stop, train.tokens)


def sequence_pieces(train: Split, tokenizer: Tokenizer, end: int) -> Iterator[Piece]:
    """Sequences, some at a time, each followed by a border."""
    assert train.starts is not None
    borders = np.append(train.starts, train.tokens)
    place, held, size = 0, [], 0
    for first, last in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True):
        if last > end:
            break
        ids = train.ids[first:last]
        symbols = np.asarray(ids) if unit_of(tokenizer) == "words" else code_points(tokenizer.decode(ids))
        held.append(np.append(symbols.astype(np.int32), np.int32(BORDER)))
        size += len(held[-1])
        if size > TOKENS:
            yield Piece(place, np.concatenate(held), size)
            place, held, size = place + size, [], 0
    if held:
        yield Piece(place, np.concatenate(held), size)


def held_out(corpus: Corpus, lengths: Sequence[int]) -> list[str]:
    """A stretch of held-out text for each length (in symbols), evenly spread; none where there is no such text.

    Where all of the text was trained on, valid is the training text, and nothing is held out.
    """
    valid, tokenizer = corpus.valid, corpus.tokenizer
    if not valid.tokens or corpus.memorises:
        return []
    found = []
    for number, length in enumerate(lengths):
        begin = int((valid.tokens - 1) * number / max(1, len(lengths)))
        if valid.starts is not None:
            begin = int(valid.starts[np.searchsorted(valid.starts, begin, side="right") - 1])
            later = valid.starts[valid.starts > begin]
            end = int(later[0]) if len(later) else valid.tokens
        else:
            begin = max(0, min(begin, valid.tokens - length))
            end = valid.tokens
        ids = valid.ids[begin : min(end, begin + 4 * length)]
        words = unit_of(tokenizer) == "words"
        found.append(tokenizer.decode(ids[:length]) if words else tokenizer.decode(ids)[:length])
    return found
