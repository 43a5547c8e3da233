"""Samples: a prompt in words, and what the model makes of it."""

from dataclasses import dataclass, field

from glassloom.data.tokenizers import Tokenizer
from glassloom.data.tokenizers.base import symbol_name
from glassloom.errors import TokenizerError, notice
from glassloom.generation.decoder import Stopped, decode
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
    settings = settings or DecodingSettings()
    ids = encode_prompt(tokenizer, prompt, skip_unknown)
    samples = [Sample(prompt) for _ in range(settings.count)]
    for token in decode(model, ids, settings, tokenizer=tokenizer):
        sample = samples[token.sample]
        sample.text += token.text
        sample.ids.append(token.id)
        sample.nats.append(token.nats)
        sample.stopped = token.stopped or sample.stopped
    return samples
