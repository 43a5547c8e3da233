"""The loss of a model whose probabilities are taken for logits: softmax before a cross-entropy that has its own.

With p the model's probabilities over K symbols, such a loss is ln(sum over k of exp(p_k)) - p_target. However sure the
model is, no exp(p_k) is above e, so that even a perfect prediction costs ln(e + K - 1) - 1; one that is sure of a
single symbol each time, rightly in a share a of all places, costs

    ln(e + K - 1) - a

which is above the ln K of a uniform guess as soon as a < ln(1 + (e - 1)/K). There is little to gain, and the gradient
carries the factor p (1 - p): where the model is sure, rightly or wrongly, it learns nothing more.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise


def sure_loss(accuracy: float, vocabulary: int) -> float:
    """Nats a token of a doubled softmax that is sure of one symbol each time, and right so often.

    >>> round(sure_loss(1.0, 45), 3)
    2.844
    """
    return math.log(math.e + vocabulary - 1) - accuracy


@dataclass(frozen=True)
class Guess:
    """A rule that names one next symbol, and how often it is right: of all tokens, and in the mean over sequences."""

    rule: str
    of_tokens: float
    of_sequences: float


def guesses(sequences: Sequence[str]) -> list[Guess]:
    """What three rules reach on texts whose first symbol is given: one symbol always, with one exception, the bigram.

    The second rule says the most frequent symbol after everything but itself, and after itself what follows it most
    often.

    >>> [(guess.of_tokens, guess.of_sequences) for guess in guesses(["aab", "aaaac"])]
    [(0.6666666666666666, 0.625), (0.6666666666666666, 0.625), (0.6666666666666666, 0.625)]
    """
    pairs = Counter(pair for row in sequences for pair in pairwise(row))
    following: Counter[str] = Counter()
    likeliest: dict[str, tuple[int, str]] = {}
    for (before, symbol), count in sorted(pairs.items()):
        following[symbol] += count
        if count > likeliest.get(before, (0, ""))[0]:
            likeliest[before] = (count, symbol)
    [(usual, _)] = following.most_common(1)
    after = likeliest.get(usual, (0, usual))[1]
    rules: dict[str, Callable[[str], str]] = {
        f"{usual!r} after everything": lambda before: usual,
        f"{usual!r} after everything, {after!r} after {usual!r}": lambda before: after if before == usual else usual,
        "after each symbol what follows it most often": lambda before: likeliest[before][1],
    }
    return [Guess(name, *shares_right(sequences, rule)) for name, rule in rules.items()]


def shares_right(sequences: Sequence[str], rule: Callable[[str], str]) -> tuple[float, float]:
    """How often a rule is right about the symbol after a symbol: of all tokens, and in the mean over sequences."""
    rows = [[rule(before) == symbol for before, symbol in pairwise(row)] for row in sequences]
    rows = [row for row in rows if row]
    return sum(map(sum, rows)) / sum(map(len, rows)), sum(sum(row) / len(row) for row in rows) / len(rows)
