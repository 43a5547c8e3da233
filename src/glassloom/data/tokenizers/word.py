"""One id per word, by the rules of the Penn Treebank corpus of Mikolov.

A line end is the word `<eos>`; the rest is split on white space; a word outside the vocabulary is `<unk>`. The
vocabulary comes from the train split only, the most frequent words first.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from glassloom.data.tokenizers.base import Evidence, Ids, Tokenizer, code_points, entry_of, label
from glassloom.errors import TokenizerError

END, UNKNOWN = "<eos>", "<unk>"


class WordTokenizer(Tokenizer):
    """Each word is an id.

    >>> tokenizer = WordTokenizer(["<unk>", "<eos>", "the", "cat"])
    >>> tokenizer.encode("the dog\\n").tolist(), tokenizer.decode([2, 3, 1, 2])
    ([2, 0, 1], 'the cat\\nthe')
    """

    kind = "word"

    def __init__(self, words: Sequence[str], marks: Sequence[str] = ()) -> None:
        self.name = "word"
        self.words = list(words)
        self._index = {word: place for place, word in enumerate(self.words)}
        if len(self._index) != len(self.words) or END not in self._index or UNKNOWN not in self._index:
            raise TokenizerError(
                "The vocabulary of words is damaged",
                f"different words, with {END} and {UNKNOWN} among them",
                "use the tokenizer.json that was written with the run",
            )
        self._unknown = self._index[UNKNOWN]
        self._end = self._index[END]
        self.specials = {END: self._end, UNKNOWN: self._unknown}
        self.specials |= {mark: len(self.words) + place for place, mark in enumerate(marks)}
        self.size = len(self.words) + len(marks)
        self._marks = list(marks)

    @classmethod
    def learn(cls, evidence: Evidence) -> "WordTokenizer":
        counts: Counter[str] = Counter()
        held = ""
        for chunk in chain(evidence.train(), ["\0"]):
            text = held + chunk
            where = after_space(text)
            counts.update(split_words(text[:where]))
            held = text[where:]
        counts.update(held[:-1].split())
        counts.setdefault(END, 0)
        counts.setdefault(UNKNOWN, 0)
        always = {END, UNKNOWN}
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        kept = [word for word in ranked if counts[word] >= evidence.minimum_count or word in always]
        if evidence.vocabulary_size is not None:
            room = evidence.vocabulary_size - len(always)
            chosen = {word for word in kept if word not in always}
            chosen = set([word for word in kept if word in chosen][:room]) | always
            kept = [word for word in kept if word in chosen]
        return cls(kept, evidence.marks)

    def encode(self, text: str) -> Ids:
        code_points(text)
        get, unknown = self._index.get, self._unknown
        words = split_words(text)
        return np.fromiter((get(word, unknown) for word in words), dtype=self.dtype, count=len(words))

    def cut(self, text: str) -> int:
        return after_space(text)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        streamer = self.streamer()
        return "".join(streamer.push(int(index)) for index in ids)

    def labels(self) -> list[str]:
        return [*map(label, self.words), *self._marks]

    def unknown(self, text: str) -> list[tuple[str, int]]:
        missing: dict[str, int] = {}
        place = 0
        for word in text.split():
            place = text.index(word, place)
            if word not in self._index:
                missing.setdefault(word, place)
            place += len(word)
        return list(missing.items())

    def unspelt(self, text: str) -> Counter[str]:
        """Every word that becomes `<unk>`, a written `<unk>` among them."""
        get, unknown = self._index.get, self._unknown
        return Counter(word for word in split_words(text) if get(word, unknown) == unknown)

    def spellings(self) -> list[str]:
        return [word for word in self.words if word not in self.specials]

    def drop_unknown(self, text: str) -> str:
        lines = text.split("\n")
        return "\n".join(" ".join(word for word in line.split() if word in self._index) for line in lines)

    def streamer(self) -> "WordStreamer":
        return WordStreamer(["\n" if word == END else word for word in self.words] + [""] * len(self._marks))

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "words": self.words, "marks": self._marks}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "WordTokenizer":
        return cls(entry_of("word", data, "words", list), entry_of("word", data, "marks", list))


class WordStreamer:
    """Words with one space between them, none at the start of a line."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts
        self.at_line_start = True

    def push(self, index: int) -> str:
        text = self.texts[index]
        if not text:
            return ""
        piece = text if self.at_line_start or text == "\n" else " " + text
        self.at_line_start = text == "\n"
        return piece

    def flush(self) -> str:
        return ""


def split_words(text: str) -> list[str]:
    """The words of a text, each line end a word of its own."""
    return text.replace("\n", f" {END} ").split()


def after_space(text: str) -> int:
    """The index after the last line end or space; 0 where there is none."""
    return max(text.rfind("\n"), text.rfind(" ")) + 1
