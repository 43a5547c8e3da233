"""A corpus: ids of three splits on disk, the tokenizer that made them, and what is known of the text."""

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glassloom.data.settings import DataSettings
from glassloom.data.sources import Progress
from glassloom.data.spelling import NOTHING, Spelling
from glassloom.data.tokenizers import Ids, Tokenizer
from glassloom.data.watching import told
from glassloom.errors import SettingError, nearest

if TYPE_CHECKING:
    from glassloom.data.languages import Language


@dataclass(frozen=True)
class Split:
    """The ids of one split, memory-mapped, in the smallest unsigned type.

    `starts` holds the index at which each sequence begins; None where the text is one stream. `characters` and `bytes`
    (UTF-8) are those of the text that was read; `spelling` is what its words outside the vocabulary cost, None where
    the text was prepared by a version that did not know.
    """

    name: str
    ids: Ids
    starts: npt.NDArray[np.int64] | None
    characters: int
    bytes: int
    spelling: Spelling | None = NOTHING

    @property
    def tokens(self) -> int:
        """How many ids there are."""
        return len(self.ids)

    @property
    def sequences(self) -> int | None:
        """How many sequences there are; None where the text is one stream."""
        return None if self.starts is None else len(self.starts)


@dataclass(frozen=True)
class Corpus:
    """A text as ids, split into train, valid and test (which may be empty).

    `sha256` is that of the prepared text, `fingerprint` that of everything that decides the ids; `cache` is the folder
    they lie in. `entropy_nats_per_sequence` is known for formal languages only, and `language` what else is known of
    one: see `glassloom.data.drawn.language_facts`. Where `memorises`, valid is the very text of train, and its loss
    says nothing of other text.
    """

    name: str
    source: str
    tokenizer: Tokenizer
    train: Split
    valid: Split
    test: Split
    sha256: str
    fingerprint: str
    split_rule: str
    cache: Path
    entropy_nats_per_sequence: float | None = None
    language: Mapping[str, Any] = field(default_factory=dict)
    memorises: bool = False

    def split(self, name: str) -> Split:
        """The split of that name. Raises SettingError naming the nearest one."""
        splits = {"train": self.train, "valid": self.valid, "test": self.test}
        if name not in splits:
            raise SettingError(f"There is no split called {name!r}", "train, valid or test", nearest(name, splits))
        return splits[name]

    @property
    def knows_spellings(self) -> bool:
        """Whether it is known what its words outside the vocabulary cost; of older versions it is not."""
        return all(part.spelling is not None for part in (self.train, self.valid, self.test))

    def text(self, split: str = "train", start: int = 0, end: int | None = None) -> str:
        """The text that the tokens from `start` to `end` of a split spell."""
        return self.tokenizer.decode(self.split(split).ids[start:end])

    def describe(self) -> dict[str, Any]:
        """What is known of the corpus, as plain data."""
        facts: dict[str, Any] = {
            "name": self.name,
            "source": self.source,
            "sizes": {part.name: sizes(part) for part in (self.train, self.valid, self.test)},
            "sha256": self.sha256,
            "fingerprint": self.fingerprint,
            "vocabulary": self.tokenizer.size,
            "tokenizer": self.tokenizer.name,
            "split_rule": self.split_rule,
        }
        if self.entropy_nats_per_sequence is not None:
            facts["entropy_nats_per_sequence"] = self.entropy_nats_per_sequence
        return {**facts, **self.language}


def sizes(split: Split) -> dict[str, Any]:
    """Tokens, characters, bytes and, where it has any, sequences and spellings of a split."""
    facts: dict[str, Any] = {"tokens": split.tokens, "characters": split.characters, "bytes": split.bytes}
    if split.spelling is not None and split.spelling.tokens:
        facts["spelling_nats"] = split.spelling.nats
    return facts if split.sequences is None else {**facts, "sequences": split.sequences}


def load_corpus(
    source: "str | Path | Language",
    settings: DataSettings | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """The corpus of a file, a folder, `-` for standard input, a listed name, or a formal language of one's own.

    A listed name is found in the folder that GLASSLOOM_DATA names, in the cache, or downloaded. The text is tokenized
    once and kept in the cache. With a `tokenizer` that one is used and nothing learned. `progress` is told what is
    being done and which fraction of it is. Raises CorpusError, SettingError, TokenizerError or StorageError.

    >>> load_corpus("ndfa", DataSettings(samples=20)).train.sequences
    20
    """
    from glassloom.data.corpora import find_source
    from glassloom.data.prepare import prepare

    settings, progress = settings or DataSettings(), progress or told()
    found = find_source(source, settings, cache, progress)
    with contextlib.closing(found):
        return prepare(found, settings, tokenizer, cache, progress)


def load_text(
    text: str | Iterable[str],
    settings: DataSettings | None = None,
    *,
    name: str = "text",
    tokenizer: Tokenizer | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Corpus:
    """The corpus of a string, a list of strings or an iterator of them.

    Several strings are one text in pieces; with `sequences="lines"` or `"paragraphs"` each is a sequence of its own.

    >>> load_text("to be or not to be, that is the question", DataSettings(split="50,50")).valid.tokens
    20
    """
    from glassloom.data.prepare import prepare
    from glassloom.data.sources import strings_source

    settings, progress = settings or DataSettings(), progress or told()
    as_sequences = not isinstance(text, str) and settings.sequences in ("lines", "paragraphs")
    found = strings_source(text, name, as_sequences)
    with contextlib.closing(found):
        return prepare(found, settings, tokenizer, cache, progress)


def reopen_corpus(facts: Mapping[str, Any], cache: Path | None = None) -> Corpus | None:
    """A corpus by what it once said of itself (`Corpus.describe`), from the cache; None where it is not there any more.

    >>> corpus = load_text("to be or not to be, that is the question", DataSettings(split="50,50"))
    >>> reopen_corpus(corpus.describe()).sha256 == corpus.sha256
    True
    """
    from glassloom.data.prepare import reopen

    return reopen(facts, cache)
