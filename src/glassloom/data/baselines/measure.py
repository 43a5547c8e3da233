"""The baselines of a corpus: each counts on train and is scored on the held-out text, on the tokens that models are.

    uniform        every id of the vocabulary is equally probable: ln(vocabulary)
    unigram        how often each token occurs (Kneser-Ney of order 1, which has a share for tokens never seen)
    bigram         given the token before (modified Kneser-Ney of order 2)
    kneser-ney-5   given the four tokens before (modified Kneser-Ney of order 5)
    xz             what xz needs for the held-out text after train: xz(train + held-out) - xz(train), in whole bytes
                   and so at least one

A stream runs on over line ends and `<eos>`; in a corpus of sequences no context crosses from one into the next, each
begins at .start and the .end after it is scored. At most the last 20 MB of train are counted and at most the first
million held-out tokens are scored; where that cuts anything, the note says so.
"""

import lzma
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from glassloom.data.baselines.excerpt import Task, open_task
from glassloom.data.baselines.kneser_ney import KneserNey
from glassloom.data.corpus import Corpus
from glassloom.data.store import locked, read_json, write_json
from glassloom.errors import CorpusError, SettingError, nearest
from glassloom.units import Figures, figures

VERSION = 2
"""Raised when the same text would get other figures: what was cached before is computed anew."""

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class Baseline:
    """What one method needs for the held-out text; `note` says on how much of the text, where that is not all."""

    name: str
    figures: Figures
    note: str = ""

    @property
    def nats_per_token(self) -> float:
        return self.figures.nats_per_token

    def as_dict(self) -> dict[str, Any]:
        """The figures in every unit, and the note where there is one."""
        return self.figures.as_dict() | ({"note": self.note} if self.note else {})


def baselines(corpus: Corpus, split: str = "valid") -> dict[str, Baseline]:
    """Every baseline of a split, computed once and kept in the corpus's cache.

    Two processes never compute the same at once: the second waits for the first. Raises CorpusError for a split that
    is empty, SettingError for one that is unknown, StorageError where the cache cannot be written.

    >>> from glassloom.data import load_text
    >>> corpus = load_text("the cat sat on the mat. " * 40)
    >>> found = baselines(corpus)
    >>> list(found)
    ['uniform', 'unigram', 'bigram', 'kneser-ney-5', 'xz']
    >>> found["bigram"].nats_per_token < found["unigram"].nats_per_token < found["uniform"].nats_per_token
    True
    """
    return compute(corpus.cache, split)


def cached(folder: Path, split: str = "valid") -> dict[str, Baseline]:
    """What is known already of the corpus prepared in this folder; empty where nothing is, or it is damaged."""
    if split not in SPLITS:
        raise SettingError(f"There is no split called {split!r}", "train, valid or test", nearest(split, SPLITS))
    data = read_json(folder / f"baselines-{split}.json")
    try:
        if data is None or data["version"] != VERSION:
            return {}
        found = {name: _from_json(name, data["baselines"][name]) for name in METHODS if name in data["baselines"]}
    except (KeyError, TypeError, ValueError):
        return {}
    return found


def passed(nats_per_token: float, known: dict[str, Baseline]) -> str | None:
    """The strongest baseline that a loss lies below; None where it lies below none.

    >>> two = {name: Baseline(name, figures(nats, tokens=1)) for name, nats in (("uniform", 4.0), ("bigram", 2.5))}
    >>> passed(2.4, two), passed(3.0, two), passed(5.0, two)
    ('bigram', 'uniform', None)
    """
    beaten = [one for one in known.values() if nats_per_token < one.nats_per_token]
    return min(beaten, key=lambda one: one.nats_per_token).name if beaten else None


def compute(folder: Path, split: str = "valid") -> dict[str, Baseline]:
    """`baselines` of the corpus prepared in this folder, each written as soon as it is known."""
    found = cached(folder, split)
    if len(found) == len(METHODS):
        return found
    with locked(folder, f"baselines-{split}"):
        found = cached(folder, split)
        missing = {name: method for name, method in METHODS.items() if name not in found}
        if not missing:
            return found
        task = open_task(folder, split)
        part = task.held_out
        sizes: dict[str, float] = {"tokens": scored(task), "characters": part.characters, "bytes": part.bytes}
        sizes |= {"spelling_nats": part.spelling_nats}
        for name, method in missing.items():
            found[name] = _from_json(name, {**sizes, "nats_per_token": method(task) / scored(task), "note": task.note})
            written = {
                each.name: {**sizes, "nats_per_token": each.nats_per_token, "note": each.note}
                for each in found.values()
            }
            write_json(folder / f"baselines-{split}.json", {"version": VERSION, "baselines": written})
    return {name: found[name] for name in METHODS}


def _from_json(name: str, data: dict[str, Any]) -> Baseline:
    nats = float(data["nats_per_token"])
    if not math.isfinite(nats):
        raise ValueError(name)
    tokens, characters, size = int(data["tokens"]), int(data["characters"]), int(data["bytes"])
    return Baseline(name, figures(nats, tokens, characters, size, float(data.get("spelling_nats", 0.0))), data["note"])


def scored(task: Task) -> int:
    """How many held-out tokens count. Raises CorpusError where none does."""
    tokens = int(task.held_out.is_scored.sum())
    if not tokens:
        raise CorpusError("The held-out sequences hold nothing to predict", "two tokens in one", "give another text")
    return tokens


def uniform_nats(task: Task) -> float:
    """Every token as probable as any other: ln(vocabulary) each."""
    return math.log(task.vocabulary) * scored(task)


def kneser_ney_nats(task: Task, order: int) -> float:
    """Modified Kneser-Ney of that order, counted on the train text."""
    train, held_out = task.train, task.held_out
    model = KneserNey.fit(train.ids, task.vocabulary, order, train.starts)
    return float(model.nats(held_out.ids, held_out.starts)[held_out.is_scored].sum())


def xz_nats(task: Task) -> float:
    """The bytes that the held-out text adds to the compressed train text; the window reaches back over all of it.

    A text that repeats itself may add none, or seem to shrink what is before it: then it is one byte, which is as
    little as xz can tell.
    """
    train = task.train.text.encode()
    both = train + b"\n" * (task.train.starts is not None) + task.held_out.text.encode()
    window = max(4096, len(both))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": window}]
    sizes = [len(lzma.compress(text, lzma.FORMAT_RAW, filters=filters)) for text in (train, both)]
    return max(1, sizes[1] - sizes[0]) * 8 * math.log(2)


METHODS: dict[str, Callable[[Task], float]] = {
    "uniform": uniform_nats,
    "unigram": partial(kneser_ney_nats, order=1),
    "bigram": partial(kneser_ney_nats, order=2),
    "kneser-ney-5": partial(kneser_ney_nats, order=5),
    "xz": xz_nats,
}
"""By name, the quick ones first: each gives the nats of all held-out tokens that count."""
