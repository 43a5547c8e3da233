"""What the simple methods need for each token of a text, counted on a corpus's train split as `measure` counts it."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from glassloom.data.baselines.excerpt import open_task
from glassloom.data.baselines.kneser_ney import Floats, Integers, KneserNey
from glassloom.data.corpus import Corpus

ORDERS = {"unigram": 1, "bigram": 2, "kneser-ney-5": 5}
"""The orders of the n-grams by name; `uniform` needs nothing counted."""


def baseline_nats(corpus: Corpus, ids: Integers, begins: bool = False) -> dict[str, Floats]:
    """-ln p of every one of these ids under each baseline, the weakest first.

    `begins`: they are a sequence from its start; otherwise a piece of a stream, whose first token has no context.

    >>> from glassloom.data import load_text
    >>> corpus = load_text("the cat sat on the mat. " * 40)
    >>> found = baseline_nats(corpus, corpus.tokenizer.encode("the mat"))
    >>> found["kneser-ney-5"].sum().item() < found["unigram"].sum().item() < found["uniform"].sum().item()
    True
    """
    ids = np.asarray(ids, dtype=np.int64)
    size = corpus.tokenizer.size
    starts = np.zeros(1, dtype=np.int64) if begins else None
    counted = {name: fitted(corpus.cache, size, order).nats(ids, starts) for name, order in ORDERS.items()}
    return {"uniform": np.full(len(ids), np.log(size)), **counted}


@lru_cache(maxsize=6)
def fitted(folder: Path, vocabulary: int, order: int) -> KneserNey:
    """The n-grams of the train split of the corpus prepared in this folder, counted once."""
    train = open_task(folder, "train").train
    return KneserNey.fit(train.ids, vocabulary, order, train.starts)
