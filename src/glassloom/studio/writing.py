"""The playground: a continuation token by token, what else might have come at a place, and what a token owes."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from glassloom.config import checked
from glassloom.data.tokenizers import Streamer, Tokenizer
from glassloom.errors import InputError
from glassloom.generation import DecodingSettings, encode_prompt
from glassloom.generation.decoder import Written, decode_in_rounds, first_tokens
from glassloom.studio.shelf import Opened
from glassloom.views.choices import choices
from glassloom.views.debts import debts
from glassloom.views.labelled import plain
from glassloom.views.subject import reading

LONGEST = 5_000
"""Tokens of one continuation, and characters of a prompt times ten."""
SEEN = 256
"""So many tokens before a place are asked what it owes to them; what stands before is left out."""
CHOOSING = ("greedy", "temperature", "top_k", "top_p", "min_p")
SETTINGS = (*CHOOSING, "seed", "length")
BEFORE = 8
"""So many tokens before one decide how it is spelt: a character's bytes, a word before a word."""


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
    settings: DecodingSettings = checked(DecodingSettings, given_of(asked, SETTINGS))
    if settings.length > LONGEST:
        raise InputError(f"{settings.length:,} tokens are too many", f"at most {LONGEST:,} at once", "go on afterwards")
    return settings


def given_of(asked: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """The settings among what a request says."""
    return {name: asked[name] for name in names if asked.get(name) is not None}


class Continuation:
    """One continuation on its way: an iterator of plain objects, which the page draws as they come.

    First `{"prompt": [[id, text, label], ...]}`, then `{"tokens": [[id, text, label, nats], ...]}` again and again, at
    last `{"end": why}`. The text of a token that only begins a character is empty: the token that ends it has it, and
    where none does, there is none. The model is held only while it runs, so several continuations go on side by side.
    """

    def __init__(self, opened: Opened, asked: dict[str, Any]) -> None:
        self._opened = opened
        tokenizer = opened.subject.tokenizer
        ids, settings = ids_of(tokenizer, asked), decoding_of(asked)
        self._labels = tokenizer.labels()
        self._prompt = reading(tokenizer, ids, at_least=0) if ids else None
        whole = [*led_by(tokenizer, asked), *ids]
        self._streamer = streamer_after(tokenizer, whole)
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
        push, labels = self._streamer.push, self._labels
        columns = zip(written.ids, written.nats, strict=True)
        return [[index, push(index), labels[index], round(nats, 5)] for index, nats in columns]


def streamer_after(tokenizer: Tokenizer, ids: Sequence[int]) -> Streamer:
    """What spells the tokens that come after some others."""
    streamer = tokenizer.streamer()
    for index in ids[-BEFORE:]:
        streamer.push(index)
    return streamer


def alternatives(opened: Opened, asked: dict[str, Any]) -> dict[str, Any]:
    """What else might stand at `place` of `ids`, with probabilities, and what does stand there.

    Each is `[id, label, probability, drawn, text]`, of what stands there with its rank in front of the last two: the
    probability at temperature 1, and the one it is drawn with under the request's temperature, top-k, top-p and min-p
    (None where that is the same); `text` is the character that it would end, if it is a piece of one.

    Raises:
        InputError: there is no such place. SettingError: a value out of its bounds.
    """
    ids, place = ids_of(opened.subject.tokenizer, asked), place_of(asked)
    if not 0 <= place <= len(ids):
        raise InputError(f"The text has no place {place}", f"0 to {len(ids)}", "choose another place")
    led = led_by(opened.subject.tokenizer, asked)
    settings: DecodingSettings = checked(DecodingSettings, given_of(asked, CHOOSING))
    otherwise = settings != DecodingSettings()
    with opened.lock:
        found = choices(opened.subject, [*led, *ids], len(led) + place, top=12, settings=settings)
    tokenizer = opened.subject.tokenizer

    def ended(index: int, label: str) -> str:
        text = streamer_after(tokenizer, ids[:place]).push(index) if label.startswith("0x") else ""
        return "" if "\N{REPLACEMENT CHARACTER}" in text else text

    columns = zip(found.ids, found.labels, found.shares.tolist(), found.drawn.tolist(), strict=True)
    tokens = [
        [index, label, share, drawn if otherwise else None, ended(index, label)]
        for index, label, share, drawn in columns
    ]
    told = {"alternatives": tokens, "rest": found.rest, "taken": None, "rest_drawn": None}
    if otherwise:
        told["rest_drawn"] = max(0.0, 1.0 - float(found.drawn.sum()))
    if found.taken is not None:
        index, label = found.taken[:2]
        told["taken"] = [*found.taken, found.taken_drawn if otherwise else None, ended(index, label)]
    return told


def owes(opened: Opened, asked: dict[str, Any]) -> dict[str, Any]:
    """What the token at `place` of `ids` owes to each token before it, in the window that it was written from.

    `gradient` is a share for each token from `first` on (see `glassloom.views.debts`); `attention`, of a model that has
    it, each head's row at the place before, from which this token was predicted. The shares of `.start`, and of what is
    read where there is no prompt, are left out.
    """
    ids, place = ids_of(opened.subject.tokenizer, asked), place_of(asked)
    if not 0 <= place < len(ids):
        raise InputError(f"The text has no place {place}", f"0 to {len(ids) - 1}", "choose another token")
    tokenizer = opened.subject.tokenizer
    given = [tokenizer.specials[".start"]] if ".start" in tokenizer.specials else []
    lead = [*given, *led_by(tokenizer, asked)]
    inputs = [*lead, *ids[: place + 1]]
    if len(inputs) < 2:
        return {"first": 0, "gradient": [], "attention": []}
    with opened.lock:
        found = debts(opened.subject.model, inputs, back=SEEN)
    unseen = max(0, len(lead) - found.first)
    sublayers = max((head.sublayer for head in found.heads), default=1)
    rows = np.round(found.weights[:, unseen:], 4).tolist()
    heads = [{"head": head.title(sublayers), "weights": row} for head, row in zip(found.heads, rows, strict=True)]
    first = max(0, found.first - len(lead))
    return plain({"first": first, "gradient": np.round(found.shares[unseen:], 4).tolist(), "attention": heads,
                  "nats": found.nats, "window": first > 0 and found.first == opened.subject.model.window_start(
                      len(inputs) - 2)})  # fmt: skip


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
