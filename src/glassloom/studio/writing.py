"""The playground: a continuation token by token, what else might have come at a place, and what a token owes."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from glassloom.config import checked
from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import GlassloomError, InputError
from glassloom.generation import DecodingSettings, encode_prompt
from glassloom.generation.decoder import Written, decode_in_rounds, first_tokens
from glassloom.studio.shelf import Opened
from glassloom.views.attention import attention
from glassloom.views.attribution import attribution
from glassloom.views.choices import choices
from glassloom.views.labelled import plain
from glassloom.views.subject import reading

LONGEST = 5_000
"""Tokens of one continuation, and characters of a prompt times ten."""
SEEN = 256
"""So many tokens before a place are asked what it owes to them; what stands before is left out."""
SETTINGS = ("greedy", "temperature", "top_k", "top_p", "min_p", "seed", "length")


def ids_of(tokenizer: Tokenizer, asked: dict[str, Any]) -> list[int]:
    """The ids that a request names: `ids`, or those of `prompt`.

    Raises:
        InputError: neither, too many, or ids that are not the tokenizer's.
        TokenizerError: the prompt holds symbols that the model never saw.
    """
    ids, prompt = asked.get("ids"), asked.get("prompt", "")
    if ids is None:
        if not isinstance(prompt, str) or len(prompt) > 10 * LONGEST:
            raise InputError(
                "The prompt cannot be used", f"a text of at most {10 * LONGEST:,} characters", "shorten it"
            )
        return encode_prompt(tokenizer, prompt)
    right = isinstance(ids, list) and all(type(index) is int and 0 <= index < tokenizer.size for index in ids)
    if not right or len(ids) > 11 * LONGEST:
        raise InputError("These are no tokens of the model", f"numbers from 0 to {tokenizer.size - 1}", "begin anew")
    return list(ids)


def led_by(tokenizer: Tokenizer, asked: dict[str, Any]) -> list[int]:
    """What was read before the request's `ids` were written, if they began without a prompt: `prompted` is then 0.

    A model of sequences needs none: it reads `.start` before every text.

    Raises:
        InputError: `prompted` is no number of tokens.
    """
    prompted = asked.get("prompted")
    if prompted is not None and (type(prompted) is not int or prompted < 0):
        raise InputError("The length of the prompt cannot be used", "a number of tokens", "begin anew")
    if prompted != 0 or not asked.get("ids") or ".start" in tokenizer.specials:
        return []
    return first_tokens([], tokenizer)


def decoding_of(asked: dict[str, Any]) -> DecodingSettings:
    """How the request wants tokens to be chosen.

    Raises:
        SettingError: a value out of its bounds.
    """
    given = {name: asked[name] for name in SETTINGS if asked.get(name) is not None}
    settings: DecodingSettings = checked(DecodingSettings, given)
    if settings.length > LONGEST:
        raise InputError(f"{settings.length:,} tokens are too many", f"at most {LONGEST:,} at once", "go on afterwards")
    return settings


class Continuation:
    """One continuation on its way: an iterator of plain objects, which the page draws as they come.

    First `{"prompt": [[id, text, label], ...]}`, then `{"tokens": [[id, text, label, nats], ...]}` again and again, at
    last `{"end": why}`. The model is held only while it runs, so several continuations go on side by side.
    """

    def __init__(self, opened: Opened, asked: dict[str, Any]) -> None:
        self._opened = opened
        tokenizer = opened.subject.tokenizer
        ids, settings = ids_of(tokenizer, asked), decoding_of(asked)
        self._labels = tokenizer.labels()
        self._prompt = reading(tokenizer, ids, at_least=0) if ids else None
        whole = [*led_by(tokenizer, asked), *ids]
        self._rounds = decode_in_rounds(opened.subject.model, whole, settings, tokenizer=tokenizer)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        read = self._prompt
        yield {
            "prompt": [list(token) for token in zip(read.ids, read.pieces, read.labels, strict=True)] if read else []
        }
        stopped = None
        while stopped is None:
            with self._opened.lock:
                [written] = next(self._rounds)
            yield {"tokens": self._told(written)}
            stopped = written.stopped
        yield {"end": stopped}

    def _told(self, written: Written) -> list[list[Any]]:
        columns = zip(written.ids, written.texts, written.nats, strict=True)
        return [[index, text, self._labels[index], round(nats, 5)] for index, text, nats in columns]


def alternatives(opened: Opened, asked: dict[str, Any]) -> dict[str, Any]:
    """What else might stand at `place` of `ids`, with probabilities, and what does stand there.

    Raises:
        InputError: there is no such place.
    """
    ids, place = ids_of(opened.subject.tokenizer, asked), place_of(asked)
    if not 0 <= place <= len(ids):
        raise InputError(f"The text has no place {place}", f"0 to {len(ids)}", "choose another place")
    led = led_by(opened.subject.tokenizer, asked)
    with opened.lock:
        found = choices(opened.subject, [*led, *ids], len(led) + place, top=12)
    tokens = zip(found.ids, found.labels, found.shares.tolist(), strict=True)
    return {"alternatives": [list(token) for token in tokens], "rest": found.rest, "taken": found.taken}


def debts(opened: Opened, asked: dict[str, Any]) -> dict[str, Any]:
    """What the token at `place` of `ids` owes to each token before it.

    `gradient` is a share for each token from `first` on (see `glassloom.views.attribution`); `attention`, of a model
    that has it, each head's row at the place before, from which this token was predicted. The shares of `.start`, and
    of what is read where there is no prompt, are left out.
    """
    ids, place = ids_of(opened.subject.tokenizer, asked), place_of(asked)
    if not 0 <= place < len(ids):
        raise InputError(f"The text has no place {place}", f"0 to {len(ids) - 1}", "choose another token")
    tokenizer = opened.subject.tokenizer
    first = max(0, place - SEEN)
    given = 1 if ".start" in tokenizer.specials else 0
    led = led_by(tokenizer, asked) if first == 0 else []
    unseen = given + len(led)
    if place - first + unseen < 1:
        return {"first": first, "gradient": [], "attention": []}
    part = [*led, *ids[first : place + 1]]
    with opened.lock:
        owed = attribution(opened.subject, part, at=given + len(part))
        heads: list[dict[str, Any]] = []
        if part[:-1]:
            try:
                seen = attention(opened.subject, part[:-1])
                titles = [head.title(seen.sublayers) for head in seen.heads]
                rows = np.round(seen.weights[:, -1, unseen:], 4).tolist()
                heads = [{"head": title, "weights": row} for title, row in zip(titles, rows, strict=True)]
            except InputError:  # an architecture without attention
                heads = []
    shares = np.round(owed.shares[0][unseen : given + len(part) - 1], 4).tolist()
    return plain({"first": first, "gradient": shares, "attention": heads, "nats": float(owed.nats[0])})


def place_of(asked: dict[str, Any]) -> int:
    """The place that a request names.

    Raises:
        InputError: it names none.
    """
    place = asked.get("place")
    if type(place) is not int:
        raise InputError("No place was named", "a number", "choose a token")
    return place


class Counter:
    """How many continuations are being written, over all browsers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now = 0

    def add(self, by: int) -> None:
        """One more, or one less."""
        with self._lock:
            self.now += by


def as_error(error: GlassloomError) -> dict[str, Any]:
    """An error as the page is told it: one sentence, and its parts."""
    return {"error": {**error.as_dict(), "sentence": str(error)}}
