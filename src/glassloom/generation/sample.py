"""Samples: a prompt in words, and what the model makes of it."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any

from glassloom.data.tokenizers import Ids, Tokenizer
from glassloom.data.tokenizers.base import symbol_name
from glassloom.data.tokenizers.word import UNKNOWN
from glassloom.errors import TokenizerError, notice
from glassloom.generation.decoder import Decoded, Stopped, Written, decode_in_rounds, in_turn
from glassloom.generation.settings import DecodingSettings
from glassloom.models.contract import LanguageModel

SHOWN = 5
"""How many unknown symbols a message names."""
LONGEST_SHOWN = 200
"""Characters of a prompt that a message shows."""


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

    def extend(self, written: Written) -> None:
        """Take in the next tokens of this sample."""
        self.text += "".join(written.texts)
        self.ids.extend(written.ids)
        self.nats.extend(written.nats)
        self.stopped = written.stopped or self.stopped

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
        self._rounds = decode_in_rounds(model, ids, settings, tokenizer=tokenizer)
        self._tokens, self._untouched = chain.from_iterable(map(in_turn, self._rounds)), True

    def __iter__(self) -> Iterator[Decoded]:
        self._untouched = False
        for token in self._tokens:
            self.samples[token.sample].add(token)
            yield token

    def finish(self) -> list[Sample]:
        """All samples, whole."""
        for written in self._rounds if self._untouched else ():
            for one in written:
                self.samples[one.sample].extend(one)
        for token in self._tokens:
            self.samples[token.sample].add(token)
        return self.samples


def encode_prompt(tokenizer: Tokenizer, prompt: str, skip_unknown: bool = False) -> list[int]:
    """The ids of a prompt.

    A word that the vocabulary lacks becomes `<unk>`; a symbol that it lacks is refused by name and place. With
    `skip_unknown` both are left out. What the model is given instead of the prompt is said in a notice.

    Raises:
        TokenizerError: the prompt holds symbols that the model never saw.
    """
    unknown = tokenizer.unknown(prompt)
    if not unknown:
        return in_plain_numbers(tokenizer.encode(prompt))
    named = [f"{symbol_name(symbol)} at character {place:,}" for symbol, place in unknown[:SHOWN]]
    names = ", ".join(named) + (f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else "")
    if skip_unknown:
        ids = in_plain_numbers(tokenizer.encode(tokenizer.drop_unknown(prompt)))
        done = "Left out of the prompt, as the model never saw it"
    elif UNKNOWN in tokenizer.specials:
        ids = in_plain_numbers(tokenizer.encode(prompt))
        done = f"Read as {UNKNOWN} in the prompt, as the model never saw it"
    else:
        raise TokenizerError(
            f"The prompt holds what the model never saw: {names}",
            "only what is in its vocabulary",
            "write the prompt without it, or have it left out with --skip-unknown",
        )
    notice(f"{done}: {names}. The model is given {repr(cut_short(tokenizer.decode(ids))) if ids else 'no prompt'}.")
    return ids


def in_plain_numbers(ids: Ids) -> list[int]:
    """Ids as a list."""
    return [int(id) for id in ids]


def cut_short(text: str) -> str:
    """A text for one line of notice: its end, where it is a long one, for there the model goes on."""
    return text if len(text) <= LONGEST_SHOWN else f"...{text[-LONGEST_SHOWN:]}"


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
