"""What a request for completions may say, and what is made of it.

Every field of OpenAI's `POST /v1/completions` is known. Those that would change the text and are not done here are
refused where they ask for anything; `user` and `metadata` change nothing and are read past.
"""

import secrets
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from glassloom.data.tokenizers import Tokenizer
from glassloom.data.tokenizers.word import UNKNOWN
from glassloom.errors import GlassloomError, nearest, sentence
from glassloom.generation import DecodingSettings
from glassloom.generation.sample import encode_prompt, in_plain_numbers
from glassloom.serving.limits import Limits
from glassloom.serving.refusal import Refusal

MOST_TOP = 20
"""So many of the most probable tokens are told beside each one, at the most."""
MOST_CHOICES = 128
MOST_STOPS, LONGEST_STOP = 16, 1000
SEEDS = 2**62

Text = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]
Ids = list[Annotated[int, Field(ge=0)]]


class StreamOptions(BaseModel):
    """How an answer is streamed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    include_usage: bool | None = None


class Asked(BaseModel):
    """The body of `POST /v1/completions`. `top_k` and `min_p` are ours; null stands for a field that is not there."""

    model_config = ConfigDict(extra="forbid", strict=True)

    model: str
    prompt: str | Ids | list[str] | list[Ids] | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    best_of: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_TOP)] | None = None
    echo: bool | None = None
    stop: Text | Annotated[list[Text], Field(max_length=MOST_STOPS)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    user: str | None = None
    metadata: dict[str, Any] | None = None
    suffix: str | None = None
    logit_bias: dict[str, float] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


EXPECTED = {
    "model": "the id of a model, as GET /v1/models lists them",
    "prompt": "a text, a list of texts, a list of token ids, or a list of lists of token ids",
    "max_tokens": "a whole number from 0",
    "temperature": "a number from 0 (the most probable token each time)",
    "top_p": "a number above 0 and at most 1",
    "top_k": "a whole number from 1",
    "min_p": "a number from 0 to 1",
    "n": f"a whole number from 1 to {MOST_CHOICES}",
    "best_of": f"a whole number from 1 to {MOST_CHOICES}",
    "stream": "true or false",
    "stream_options": '{"include_usage": true or false}',
    "logprobs": f"a whole number from 0 to {MOST_TOP}",
    "echo": "true or false",
    "stop": f"a text that is not empty, or at most {MOST_STOPS} of them, of {LONGEST_STOP:,} characters each",
    "seed": "a whole number of 64 bits",
    "user": "a text",
    "metadata": "an object",
    "suffix": "null",
    "logit_bias": "null",
    "presence_penalty": "0",
    "frequency_penalty": "0",
}
"""What each field may be, in words."""


class Wanted(NamedTuple):
    """A request that can be carried out: the prompts as ids and, for each, how its texts are to be written.

    `shown` is how each prompt is echoed; `several` has the settings of each prompt's texts, none where only the prompts
    are read (max_tokens is 0).
    """

    prompts: list[list[int]]
    shown: list[str]
    several: list[list[DecodingSettings]]
    asked: Asked

    @property
    def choices(self) -> int:
        """How many texts are told for each prompt."""
        return self.asked.n or 1

    @property
    def texts(self) -> int:
        """How many are written."""
        return sum(max(1, len(own)) for own in self.several)


def understood(body: Any) -> Asked:
    """The request in a body of JSON.

    Raises:
        Refusal: 400, naming the first field that cannot be used.
    """
    if not isinstance(body, dict):
        raise Refusal(400, "The request cannot be read. Expected: a JSON object.")
    try:
        asked = Asked.model_validate(body)
    except ValidationError as error:
        raise fault(error.errors()[0]) from None
    for name in ("suffix", "logit_bias", "presence_penalty", "frequency_penalty"):
        if getattr(asked, name):
            raise Refusal(400, f"{name} is not done here. Leave it out, or set it to {EXPECTED[name]}.", name)
    if asked.best_of is not None and asked.best_of < (asked.n or 1):
        raise Refusal(400, f"best_of is {asked.best_of}, and n is {asked.n}. Expected: at least n.", "best_of")
    if asked.stream and (asked.best_of or 0) > (asked.n or 1):
        raise Refusal(400, "best_of above n cannot be streamed: the best is known at the end. Drop one.", "best_of")
    if asked.stream_options is not None and not asked.stream:
        raise Refusal(400, "stream_options has no meaning without stream. Drop it, or stream.", "stream_options")
    if asked.max_tokens == 0 and not asked.echo:
        raise Refusal(400, "max_tokens is 0 without echo, so nothing would be answered. Raise it.", "max_tokens")
    return asked


def fault(first: ErrorDetails) -> Refusal:
    """The validator's first complaint in a sentence of ours."""
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return Refusal(
            400, f"There is no field {name[:60]}; {sentence(nearest(name, EXPECTED))}", name[:60], "unknown_field"
        )
    if first["type"] == "missing":
        return Refusal(400, f"The request has no {name}. Expected: {EXPECTED[name]}.", name)
    return Refusal(400, f"{name} cannot be used. Expected: {EXPECTED[name]}.", name)


def wanted(asked: Asked, tokenizer: Tokenizer, limits: Limits) -> Wanted:
    """What is to be written.

    Raises:
        Refusal: 400, the prompt or a number is beyond the limits, or the prompt holds what the model never saw.
    """
    length = 16 if asked.max_tokens is None else asked.max_tokens
    if length > limits.max_tokens:
        raise Refusal(400, f"max_tokens is {length:,}, and this server gives at most {limits.max_tokens:,}.",
                      "max_tokens", "context_length_exceeded")  # fmt: skip
    given = asked.prompt if asked.prompt is not None else ""
    if given == []:
        raise Refusal(400, f"The list of prompts is empty. Expected: {EXPECTED['prompt']}.", "prompt")
    lists = isinstance(given, list) and not isinstance(given[0], int)
    several: list[Any] = given if lists else [given]  # type: ignore[assignment]
    count = max(asked.best_of or 1, asked.n or 1)
    if len(several) * count > limits.at_once:
        raise Refusal(400, f"{len(several) * count:,} texts are asked for, and this server writes at most "
                      f"{limits.at_once:,} at once. Ask for fewer prompts or choices.", "n")  # fmt: skip
    prompts = [prompt_ids(one, tokenizer, limits) for one in several]
    shown = [one if isinstance(one, str) else tokenizer.decode(one) for one in several]
    written = [[decoding(asked, length, i) for i in range(count if length else 0)] for _ in prompts]
    return Wanted(prompts, shown, written, asked)


def prompt_ids(prompt: str | list[int], tokenizer: Tokenizer, limits: Limits) -> list[int]:
    """A prompt as ids. A word that the vocabulary lacks becomes `<unk>`, where there is such a token.

    Raises:
        Refusal: 400, it is too long, or holds what the model never saw.
    """
    if isinstance(prompt, str):
        try:
            known = UNKNOWN in tokenizer.specials
            ids = in_plain_numbers(tokenizer.encode(prompt)) if known else encode_prompt(tokenizer, prompt)
        except GlassloomError as error:
            raise Refusal(400, f"{error.what}. Expected: {error.expected}.", "prompt") from None
    else:
        ids = prompt
        if max(ids, default=0) >= tokenizer.size:
            raise Refusal(400, f"Token {max(ids)} is none of the model's. Expected: 0 to {tokenizer.size - 1}.",
                          "prompt")  # fmt: skip
    if len(ids) > limits.max_prompt:
        raise Refusal(400, f"The prompt has {len(ids):,} tokens, and this server reads at most {limits.max_prompt:,}.",
                      "prompt", "context_length_exceeded")  # fmt: skip
    return ids


def decoding(asked: Asked, length: int, choice: int) -> DecodingSettings:
    """How one choice is written: the i-th of a prompt has the seed plus i, as `glassloom generate` has it.

    Without a seed every choice of every prompt has one of its own.
    """
    seed = secrets.randbelow(SEEDS) if asked.seed is None else asked.seed % SEEDS
    stops = [asked.stop] if isinstance(asked.stop, str) else asked.stop or []
    return DecodingSettings(
        greedy=asked.temperature == 0,
        temperature=asked.temperature or 1.0,
        top_k=asked.top_k,
        top_p=asked.top_p,
        min_p=asked.min_p or None,
        seed=(seed + choice) % SEEDS,
        length=length,
        stop=tuple(stops),
    )
