"""Samples: a prompt in words, and what the model makes of it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from glassloom.data.tokenizers import Tokenizer
from glassloom.data.tokenizers.base import symbol_name
from glassloom.errors import TokenizerError, notice
from glassloom.generation.decoder import Decoded, Stopped, decode
from glassloom.generation.settings import DecodingSettings
from glassloom.models.contract import LanguageModel

SHOWN = 5
"""How many unknown symbols a message names."""


@dataclass
class Sample:
    """One continuation of a prompt.

    `text` goes on where the prompt ends, and ends before a stop string; `ids` are all tokens that were generated (those
    of a stop string and `.end` too), `nats` the loss of each under the model at temperature 1.
    """

    prompt: str
    text: str = ""
    ids: list[int] = field(default_factory=list)
    nats: list[float] = field(default_factory=list)
    stopped: Stopped = "length"

    def add(self, token: Decoded) -> None:
        """Take in the next token of this sample."""
        self.text += token.text
        self.ids.append(token.id)
        self.nats.append(token.nats)
        self.stopped = token.stopped or self.stopped

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Stream:
    """Samples on their way: iterate for the tokens as they come, or `finish` for whole samples.

    A prompt that cannot be used is refused at once, not at the first token.
    """

    def __init__(
        self,
        model: LanguageModel,
        tokenizer: Tokenizer,
        prompt: str = "",
        settings: DecodingSettings | None = None,
        skip_unknown: bool = False,
    ) -> None:
        settings = settings or DecodingSettings()
        ids = encode_prompt(tokenizer, prompt, skip_unknown)
        self.samples = [Sample(prompt) for _ in range(settings.count)]
        self._tokens = decode(model, ids, settings, tokenizer=tokenizer)

    def __iter__(self) -> Iterator[Decoded]:
        for token in self._tokens:
            self.samples[token.sample].add(token)
            yield token

    def finish(self) -> list[Sample]:
        """All samples, whole."""
        for _ in self:
            pass
        return self.samples


def encode_prompt(tokenizer: Tokenizer, prompt: str, skip_unknown: bool = False) -> list[int]:
    """The ids of a prompt.

    A symbol (or word) that the vocabulary lacks is refused by name and place, or with `skip_unknown` left out, with a
    notice.

    Raises:
        TokenizerError: the prompt holds symbols that the model never saw.
    """
    unknown = tokenizer.unknown(prompt)
    if unknown:
        named = [f"{symbol_name(symbol)} at character {place:,}" for symbol, place in unknown[:SHOWN]]
        more = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        names = ", ".join(named) + more
        if not skip_unknown:
            raise TokenizerError(
                f"The prompt holds what the model never saw: {names}",
                "only what is in its vocabulary",
                "write the prompt without it, or have it left out with --skip-unknown",
            )
        notice(f"Left out of the prompt, as the model never saw it: {names}.")
        prompt = tokenizer.drop_unknown(prompt)
    ids: list[int] = tokenizer.encode(prompt).tolist()
    return ids


def generate(
    model: LanguageModel,
    tokenizer: Tokenizer,
    prompt: str = "",
    settings: DecodingSettings | None = None,
    skip_unknown: bool = False,
) -> list[Sample]:
    """settings.count continuations of a prompt, whole. `decode` gives the same token by token.

    Raises:
        TokenizerError: the prompt holds symbols that the model never saw (with `skip_unknown` they are left out).
        GlassloomError: the model's probabilities are not finite.

    >>> from glassloom.data.tokenizers import CharTokenizer
    >>> from glassloom.models import build
    >>> model = build("gru", vocabulary=3)
    >>> [sample] = generate(model, CharTokenizer("abc"), "ab", DecodingSettings(length=4))
    >>> len(sample.text), sample.stopped
    (4, 'length')
    """
    return Stream(model, tokenizer, prompt, settings, skip_unknown).finish()
