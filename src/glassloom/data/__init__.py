"""Text to ids: corpora, tokenizers, and how they are split."""

from glassloom.data.corpus import Corpus, Split, load_corpus, load_text, reopen_corpus
from glassloom.data.settings import DataSettings
from glassloom.data.tokenizers import TOKENIZERS, Tokenizer, open_tokenizer

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
