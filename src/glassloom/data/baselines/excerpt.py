"""The text that the baselines see: a prepared corpus, cut to size, as the ids that a model is asked for."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glassloom.data.baselines.kneser_ney import Integers
from glassloom.data.corpus import Split
from glassloom.data.prepare import open_split
from glassloom.data.spelling import Spelling
from glassloom.data.store import FACTS, read_json
from glassloom.data.tokenizers import Tokenizer, open_tokenizer
from glassloom.errors import CorpusError

MOST_TRAIN_BYTES = 20_000_000
MOST_HELD_OUT_TOKENS = 1_000_000


@dataclass(frozen=True)
class Excerpt:
    """A piece of a split.

    Of a stream: its ids. Of sequences: whole ones, with .end after each, and `starts`, where each begins. `is_scored`
    is False for a token that no model is asked for: the first of a sequence where the tokenizer has no .start.
    """

    ids: Integers
    starts: Integers | None
    is_scored: NDArray[np.bool_]
    text: str
    characters: int
    bytes: int
    spelling_nats: float
    """What the words cost that the vocabulary lacks."""


@dataclass(frozen=True)
class Task:
    """What to count, what to score, over how large a vocabulary, and in words what was left out."""

    train: Excerpt
    held_out: Excerpt
    vocabulary: int
    note: str


def open_task(folder: Path, split: str) -> Task:
    """The corpus prepared in this folder, cut to size. Raises CorpusError where a split is empty."""
    facts, saved = read_json(folder / FACTS), read_json(folder / "tokenizer.json")
    if facts is None or saved is None:
        raise CorpusError(f"There is no prepared corpus in {folder}", "the folder `Corpus.cache`", "load it again")
    tokenizer = open_tokenizer(saved)
    train, held_out = (open_split(folder, name, facts["splits"][name], tokenizer) for name in ("train", split))
    for part in (train, held_out):
        if not part.tokens:
            raise CorpusError(f"The {part.name} split is empty", "some text in it", "split the text otherwise")
    kept = min(train.tokens, train.tokens * MOST_TRAIN_BYTES // max(1, train.bytes))
    last = min(held_out.tokens, MOST_HELD_OUT_TOKENS)
    cuts = []
    if kept < train.tokens:
        cuts.append(f"counted on the last {MOST_TRAIN_BYTES / 1_000_000:g} MB of train")
    if last < held_out.tokens:
        cuts.append(f"scored on the first {last:,} tokens of {split}")
    return Task(
        _excerpt(train, tokenizer, train.tokens - kept, train.tokens),
        _excerpt(held_out, tokenizer, 0, last),
        tokenizer.size,
        "; ".join(cuts),
    )


def _excerpt(split: Split, tokenizer: Tokenizer, first: int, last: int) -> Excerpt:
    """The tokens from `first` to before `last`; of sequences those that lie between, but at least one."""
    if split.starts is None:
        ids = np.asarray(split.ids[first:last])
        starts: Integers | None = None
        pieces = [tokenizer.decode(ids)]
        is_scored = np.ones(len(ids), dtype=bool)
    else:
        borders = np.append(split.starts, split.tokens)
        begin = min(int(np.searchsorted(borders, first)), len(borders) - 2)
        end = max(int(np.searchsorted(borders, last, side="right")) - 1, begin + 1)
        ids = np.asarray(split.ids[borders[begin] : borders[end]])
        starts = borders[begin:end] - borders[begin]
        pieces = [tokenizer.decode(one) for one in np.split(ids, starts[1:])]
        if ".end" in tokenizer.specials:
            ids = np.insert(ids, np.append(starts[1:], len(ids)), tokenizer.specials[".end"])
            starts = starts + np.arange(len(starts))
        is_scored = np.ones(len(ids), dtype=bool)
        if ".start" not in tokenizer.specials:
            is_scored[starts] = False
    characters, size, spelling = split.characters, split.bytes, split.spelling or Spelling()
    if (first, last) != (0, split.tokens):
        share = len(ids) / split.tokens
        exact = not spelling.tokens  # what ids with unknown words spell is not what was read
        characters = sum(map(len, pieces)) if exact else round(characters * share)
        size = sum(len(piece.encode()) for piece in pieces) if exact else round(size * share)
    if split.spelling is None:
        characters, size = 0, 0  # then bits per character are not known
    text = "\n".join(pieces)
    return Excerpt(ids, starts, is_scored, text, characters, size, spelling.of(ids, tokenizer))
