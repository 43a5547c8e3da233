"""The texts that a model is tried on: the user's own as ids, or a language with known answers."""

import torch
from torch import Tensor

from glassloom.errors import InputError

SYMBOLS = 37
"""The size of the vocabulary without a text: a prime, which no width or length is likely to equal."""
CYCLE = 12
"""How many symbols the language of the trials uses."""


def tokens_of(text: str) -> tuple[Tensor, int]:
    """A text as one id a character, and how many characters there are; raises InputError for less than two."""
    symbols = sorted(set(text))
    if len(symbols) < 2:
        raise InputError("The text has fewer than two different characters", "a text to try the model on")
    ids = {symbol: number for number, symbol in enumerate(symbols)}
    return torch.tensor([ids[symbol] for symbol in text[:200_000]], dtype=torch.int64), len(symbols)


def walk(vocabulary: int, length: int, seed: int = 0) -> Tensor:
    """A language in which each symbol is followed by one of its two successors, with chances 0.9 and 0.1.

    Of a large vocabulary CYCLE symbols are used. Its entropy is 0.325 nats a token; whoever knows a token's successor
    is right nine times in ten, so that every sound model and loop makes progress on it within a few steps.
    """
    generator = torch.Generator().manual_seed(seed)
    count = min(vocabulary, CYCLE)
    used = torch.linspace(0, vocabulary - 1, count).round().long()
    order = torch.randperm(count, generator=generator)
    after = {int(order[n]): (int(order[(n + 1) % count]), int(order[(n + 3) % count])) for n in range(count)}
    choices = (torch.rand(length, generator=generator) < 0.1).long().tolist()
    state, ids = 0, []
    for choice in choices:
        ids.append(state)
        state = after[state][choice]
    return used[torch.tensor(ids, dtype=torch.int64)]


def windows(text: Tensor, batch: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Random windows of a text and their next tokens, `batch time` each."""
    generator = torch.Generator().manual_seed(seed)
    if len(text) < length + 2:
        text = text.repeat(2 + (length + 2) // max(len(text), 1))
    begins = torch.randint(len(text) - length, (batch,), generator=generator).tolist()
    rows = torch.stack([text[begin : begin + length + 1] for begin in begins])
    return rows[:, :-1].clone(), rows[:, 1:].clone()
