"""Nats per token in other units.

    perplexity          exp(nats per token)
    bits per character  nats in all / ln 2 / characters of the text scored; where the vocabulary lacks some of its
                        words, the nats of their spellings count too (`glassloom.data.spelling`)
    bits per byte       the same over its UTF-8 bytes

so models with different tokenizers compare in bits per character or byte, never in perplexity. Imports no torch, so
that what only counts can say its figures too.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Unit: TypeAlias = Literal["perplexity", "bits_per_character"]
"""What a loss is read in; `unit_of` says which."""


def perplexity(nats_per_token: float) -> float:
    """exp(nats per token); infinite where that overflows a float.

    >>> round(perplexity(math.log(50)), 6)
    50.0
    """
    return math.exp(nats_per_token) if nats_per_token < 709 else math.inf


def bits(nats: float) -> float:
    """Nats in bits: nats / ln 2."""
    return nats / math.log(2)


@dataclass(frozen=True)
class Figures:
    """One loss in every unit. `bits_per_character` and `bits_per_byte` are None where the text's length is unknown."""

    nats_per_token: float
    perplexity: float
    bits_per_character: float | None
    bits_per_byte: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def figures(
    nats_per_token: float, tokens: int, characters: int = 0, utf8_bytes: int = 0, spelling_nats: float = 0.0
) -> Figures:
    """A mean loss over `tokens` tokens that spell `characters` characters, in every unit.

    `spelling_nats` is what has to be said beyond the tokens, of the words that they do not name.

    >>> figures(math.log(4), tokens=10, characters=20, utf8_bytes=40).bits_per_character
    1.0
    """
    total = bits(nats_per_token * tokens + spelling_nats)
    return Figures(
        nats_per_token,
        perplexity(nats_per_token),
        total / characters if characters else None,
        total / utf8_bytes if utf8_bytes else None,
    )


def unit_of(tokenizer: str) -> Unit:
    """The unit that figures of a text are read in: perplexity for words, bits per character for all else.

    >>> unit_of("word"), unit_of("bpe:500")
    ('perplexity', 'bits_per_character')
    """
    return "perplexity" if tokenizer == "word" else "bits_per_character"


def in_unit(
    nats_per_token: float | None, unit: Unit, tokens: int = 0, characters: int = 0, spelling_nats: float = 0.0
) -> float | None:
    """A mean loss in one unit; bits per character need the length of its text in tokens and in characters.

    None where there is no loss, where the length is unknown, or where no float holds the figure.

    >>> in_unit(math.log(4), "bits_per_character", tokens=10, characters=20), in_unit(1000.0, "perplexity")
    (1.0, None)
    """
    if nats_per_token is None:
        return None
    value: float | None = getattr(figures(nats_per_token, tokens, characters, spelling_nats=spelling_nats), unit)
    return value if value is not None and math.isfinite(value) else None
