"""What may come at one place of a text, as the decoder sees it there: the most probable tokens with their ids.

The distribution is the model's own, at temperature 1, read from the state as generation reads it. So the probability
of a token that was written here is exactly what `glassloom.generation.decode` says of it. Beside it, where tokens are
chosen otherwise, the one that they are drawn from: what temperature, top-k, top-p and min-p make of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.errors import SettingError
from glassloom.generation import DecodingSettings
from glassloom.generation.choosing import shaped
from glassloom.generation.decoder import first_tokens
from glassloom.generation.rows import read
from glassloom.views.labelled import Floats
from glassloom.views.subject import Source, looking, subject


@dataclass(frozen=True)
class Choices:
    """The `top` most probable tokens at a place, the most probable first; of equals the one with the lower id."""

    ids: tuple[int, ...]
    labels: tuple[str, ...]
    shares: Floats
    """`rank`: their probabilities"""
    rest: float
    """The probability of all others."""
    taken: tuple[int, str, float, int] | None
    """Of the token that stands there: id, label, probability, rank (1 is the most probable); None at the end."""
    drawn: Floats
    """`rank`: the probabilities that tokens are drawn with, under the settings that were asked for"""
    taken_drawn: float | None
    """Of the token that stands there."""


def choices(
    source: Source, ids: Sequence[int], place: int, *, top: int = 12, settings: DecodingSettings | None = None
) -> Choices:
    """What may stand at `place` (from 0) of a text given as ids, after all ids before it.

    `settings` say how tokens are drawn; as the model has them, where none are given.

    >>> choices(run, ids, len(ids)).labels[0]  # the most probable next token  # doctest: +SKIP

    Raises:
        SettingError: there is no such place.
    """
    of = subject(source)
    if not 0 <= place <= len(ids):
        raise SettingError(f"The text has no place {place}", f"0 to {len(ids)}", "choose another place")
    with looking(of.model):
        logits, _ = read(of.model, first_tokens([int(index) for index in ids[:place]], of.tokenizer))
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    drawn = drawn_with(logits, settings or DecodingSettings())
    order = np.argsort(-shares, kind="stable")
    best = [int(index) for index in order[: max(1, top)]]
    names = of.tokenizer.labels()
    taken = None
    if place < len(ids):
        own = int(ids[place])
        taken = own, names[own], float(shares[own]), int(np.flatnonzero(order == own)[0]) + 1
    rest = max(0.0, 1.0 - float(shares[best].sum()))
    return Choices(
        tuple(best), tuple(names[index] for index in best), shares[best], rest, taken,
        drawn[best], None if taken is None else float(drawn[taken[0]]),
    )  # fmt: skip


def drawn_with(logits: Floats, settings: DecodingSettings) -> Floats:
    """The probability with which each token is drawn, `vocab`, of one row of logits.

    >>> drawn_with(np.log([[4.0, 2.0, 1.0, 1.0]]), DecodingSettings(top_k=2)).round(3).tolist()
    [0.667, 0.333, 0.0, 0.0]
    >>> drawn_with(np.log([[1.0, 3.0]]), DecodingSettings(greedy=True)).tolist()
    [0.0, 1.0]
    """
    if settings.greedy:
        found: Floats = (np.arange(logits.shape[1]) == logits[0].argmax()).astype(np.float64)
        return found
    left = shaped(logits, settings)[0]
    found = left / left.sum()
    return found
