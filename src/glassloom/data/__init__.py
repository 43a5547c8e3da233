"""Text to ids: corpora, tokenizers, and how they are split.

`DataSettings` can be had without numpy, which loads with the first of the other names.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glassloom.data.settings import DataSettings

if TYPE_CHECKING:
    from glassloom.data.corpus import Corpus, Split, load_corpus, load_text, reopen_corpus
    from glassloom.data.tokenizers import TOKENIZERS, Tokenizer, open_tokenizer

_HOMES = {
    "Corpus": "corpus",
    "Split": "corpus",
    "load_corpus": "corpus",
    "load_text": "corpus",
    "reopen_corpus": "corpus",
    "TOKENIZERS": "tokenizers",
    "Tokenizer": "tokenizers",
    "open_tokenizer": "tokenizers",
}

__all__ = [
    "TOKENIZERS",
    "Corpus",
    "DataSettings",
    "Split",
    "Tokenizer",
    "load_corpus",
    "load_text",
    "open_tokenizer",
    "reopen_corpus",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
