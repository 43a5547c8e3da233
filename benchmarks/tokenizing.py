"""Each tokenizer's encoding against the few plain lines that one would write for it, timed in turns.

    python benchmarks/tokenizing.py [--megabytes 4] [--rounds 9]

The text is the source code of Python's standard library. Both must give the same ids before they are timed. For bpe the
peer is the `tokenizers` library called on the whole text at once; for the others it is a loop in Python. A ratio above
1 means that ours is faster; megabytes a second are of this machine, and no claim. (This file is not called tokenizers,
for it would hide the library of that name.)
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from glassloom.data.tokenizers import Evidence, Tokenizer, find_tokenizer
from measuring import compared, in_turns, seconds_of, some_text, spread_in_words, write

NAMES = ("char", "byte", "word", "bpe:2000")


def learned(name: str, text: str) -> Tokenizer:
    """The tokenizer of that name, learned from the text; words that occur once are unknown."""
    kind, argument = find_tokenizer(name)
    return kind.learn(Evidence("".join(sorted(set(text))), lambda: [text], argument, minimum_count=2))


def peer_of(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """The same ids by the plainest means, from tables that are made before the clock starts."""
    if tokenizer.kind == "char":
        of_symbol = {symbol: place for place, symbol in enumerate(tokenizer.to_json()["symbols"])}
        return lambda text: [of_symbol[symbol] for symbol in text]
    if tokenizer.kind == "byte":
        return lambda text: list(text.encode("utf-8"))
    if tokenizer.kind == "word":
        of_word = {word: place for place, word in enumerate(tokenizer.to_json()["words"])}
        return partial(words_to_ids, of_word)
    from tokenizers import Tokenizer as Peer
    from tokenizers import models, pre_tokenizers

    data = tokenizer.to_json()
    vocabulary = {piece: place for place, piece in enumerate(data["pieces"])}
    peer = Peer(models.BPE(vocab=vocabulary, merges=[(a, b) for a, b in data["merges"]]))
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return lambda text: list(peer.encode(text).ids)


def words_to_ids(of_word: dict[str, int], text: str) -> list[int]:
    """Split at line ends and white space, and look every word up."""
    ids, unknown, end = [], of_word["<unk>"], of_word["<eos>"]
    for line in text.split("\n"):
        ids += [of_word.get(word, unknown) for word in line.split()]
        ids.append(end)
    return ids[:-1]  # behind the last piece there is no line end


def measure(megabytes: float, rounds: int) -> list[dict[str, Any]]:
    """Every tokenizer on the same text."""
    text = some_text(megabytes)
    size = len(text.encode("utf-8")) / 1e6
    rows = []
    for name in NAMES:
        tokenizer = learned(name, text)
        peer = peer_of(tokenizer)
        assert np.array_equal(tokenizer.encode(text), peer(text)), f"{name} and its peer differ"
        pairs = in_turns(
            partial(seconds_of, partial(tokenizer.encode, text)), partial(seconds_of, partial(peer, text)), rounds
        )
        ours, theirs = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
        speeds = {"megabytes_per_second": size / ours, "peer_megabytes_per_second": size / theirs}
        rows.append({"tokenizer": name, "vocabulary": tokenizer.size, **compared(pairs), **speeds})
    return rows


def main(megabytes: float = 4.0, rounds: int = 9) -> None:
    """Measure, print, write JSON."""
    rows = measure(megabytes, rounds)
    print(f"{'tokenizer':<10} {'ours against plain':<26} {'MB/s':>8} {'plain':>8}")
    for row in rows:
        print(
            f"{row['tokenizer']:<10} {spread_in_words(row):<26} {row['megabytes_per_second']:>8.1f} "
            f"{row['peer_megabytes_per_second']:>8.1f}"
        )
    command = f"python benchmarks/tokenizing.py --megabytes {megabytes:g} --rounds {rounds}"
    write("tokenizing", command, rows, megabytes=megabytes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    main(asked.megabytes, asked.rounds)
