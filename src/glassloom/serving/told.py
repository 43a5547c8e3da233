"""What is answered: texts, their tokens' log-probabilities, why each ends, how many tokens there were."""

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

from glassloom.data.tokenizers import Tokenizer
from glassloom.generation.reading import Looked
from glassloom.generation.together import News, Prompt
from glassloom.serving.asked import Wanted

FINISH = {"length": "length", "stop": "stop", "end": "stop"}
"""Why a text ends, in the protocol's words: the model's own `.end` is a stop too."""
BEFORE = 8
"""Tokens of the prompt that decide how the first ones after it are spelt; see `glassloom.generation.decoder`."""


class Spelling:
    """Tokens of one text with their log-probabilities, as the protocol has them: four lists side by side.

    Tokens that belong to a stop string are not told, as their text is not.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._labels: list[str] | None = None
        self._held: list[tuple[str, float | None, dict[str, float] | None, int]] = []
        self.begin([], 0)

    def begin(self, before: Iterable[int], offset: int) -> None:
        """Go on after these tokens, at this character of the text."""
        self._streamer, self._offset = self._tokenizer.streamer(), offset
        for index in before:
            self._streamer.push(index)

    def add(self, ids: Sequence[int], looked: Sequence[Looked | None]) -> None:
        """The next tokens."""
        for index, seen in zip(ids, looked, strict=True):
            text = self._streamer.push(index)
            token = text or self.name(index)
            top: dict[str, float] | None = None
            if seen is not None:
                top = {}
                for other, nats in seen.top:
                    top.setdefault(self.name(other), -nats)
                top[token] = -seen.nats
            self._held.append((token, None if seen is None else -seen.nats, top, self._offset))
            self._offset += len(text)

    def release(self, end: int | None) -> dict[str, list[Any]]:
        """What begins before this character of the text; all, where there is no such bound."""
        ready = [one for one in self._held if end is None or one[3] < end]
        self._held = self._held[len(ready) :]
        tokens, nats, tops, offsets = zip(*ready, strict=True) if ready else ((), (), (), ())
        return {
            "tokens": list(tokens), "token_logprobs": list(nats), "top_logprobs": list(tops),
            "text_offset": list(offsets),
        }  # fmt: skip

    def name(self, index: int) -> str:
        """A token by itself; one that spells nothing by its label."""
        text = self._tokenizer.decode([index])
        if text:
            return text
        self._labels = self._labels or self._tokenizer.labels()
        return self._labels[index]


class Choice:
    """One text of an answer."""

    def __init__(self, index: int, wanted: Wanted, place: int, tokenizer: Tokenizer) -> None:
        self.index, self.text, self.finish = index, "", None
        self.nats, self.tokens = 0.0, 0
        self.logprobs: dict[str, list[Any]] | None = None
        self._ids, self._shown, self._echo = wanted.prompts[place], wanted.shown[place], bool(wanted.asked.echo)
        self._spelling = None if wanted.asked.logprobs is None else Spelling(tokenizer)
        self._end = len(self._shown)

    def begin(self, news: News, is_all: bool) -> dict[str, Any]:
        """The prompt is read: what is told of it; `is_all`: nothing is written after it."""
        logprobs = None
        if self._spelling is not None:
            if self._echo:
                self._spelling.add(self._ids, news.looked)
                logprobs = self._spelling.release(None)
            self._spelling.begin(self._ids[-BEFORE:], len(self._shown))
        return self._piece(self._shown if self._echo else "", logprobs, "length" if is_all else None)

    def go_on(self, news: News) -> dict[str, Any]:
        """What was written since."""
        written = news.written
        assert written is not None
        text, logprobs = "".join(written.texts), None
        self._end += len(text)
        self.nats += sum(written.nats)
        self.tokens += len(written.ids)
        if self._spelling is not None:
            self._spelling.add(written.ids, news.looked)
            logprobs = self._spelling.release(None if written.stopped in ("length", "end") else self._end)
        return self._piece(text, logprobs, None if written.stopped is None else FINISH[written.stopped])

    def _piece(self, text: str, logprobs: dict[str, list[Any]] | None, finish: str | None) -> dict[str, Any]:
        self.text += text
        self.finish = finish or self.finish  # type: ignore[assignment]
        if logprobs is not None:
            if self.logprobs is None:
                self.logprobs = {name: [] for name in logprobs}
            for name, values in logprobs.items():
                self.logprobs[name] += values
        return {"index": self.index, "text": text, "logprobs": logprobs, "finish_reason": finish}

    def whole(self, index: int) -> dict[str, Any]:
        """All of it."""
        return {"index": index, "text": self.text, "logprobs": self.logprobs, "finish_reason": self.finish}


class Answer:
    """An answer as it grows."""

    def __init__(self, wanted: Wanted, prompts: Sequence[Prompt], tokenizer: Tokenizer) -> None:
        self._wanted = wanted
        written = max(wanted.choices, len(wanted.several[0]))
        self._choices = {
            (prompt, sample): Choice(place * written + sample, wanted, place, tokenizer)
            for place, prompt in enumerate(prompts)
            for sample in range(written)
        }
        self._prompts = prompts
        self._frame = {
            "id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time()),
            "model": wanted.asked.model,
        }  # fmt: skip

    def take(self, news: Iterable[News]) -> list[dict[str, Any]]:
        """What came: a piece for each text that it tells something of."""
        pieces = []
        for one in news:
            if one.sample is None:
                own = [choice for (prompt, _), choice in self._choices.items() if prompt is one.prompt]
                pieces += [choice.begin(one, not one.prompt.several) for choice in own]
            else:
                pieces.append(self._choices[one.prompt, one.sample].go_on(one))
        return [piece for piece in pieces if piece["text"] or piece["finish_reason"] or piece["logprobs"]]

    def chunk(self, pieces: list[dict[str, Any]]) -> dict[str, Any]:
        """Pieces as one event of a stream."""
        usage = {"usage": None} if self._tells_usage else {}
        return {**self._frame, "choices": pieces, **usage}

    def last_chunk(self) -> dict[str, Any] | None:
        """The event behind all others that says how many tokens there were, where that was asked for."""
        return {**self._frame, "choices": [], "usage": self.usage} if self._tells_usage else None

    @property
    def _tells_usage(self) -> bool:
        options = self._wanted.asked.stream_options
        return options is not None and bool(options.include_usage)

    @property
    def usage(self) -> dict[str, int]:
        """How many tokens were read and written; of `best_of`, all."""
        read = sum(len(ids) for ids in self._wanted.prompts)
        written = sum(choice.tokens for choice in self._choices.values())
        return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}

    def whole(self) -> dict[str, Any]:
        """The answer at its end; of `best_of`, those with the fewest nats a token."""
        told: list[Choice] = []
        for prompt in self._prompts:
            own = [choice for (known, _), choice in self._choices.items() if known is prompt]
            if len(own) > self._wanted.choices:
                own = sorted(own, key=lambda choice: choice.nats / max(1, choice.tokens))[: self._wanted.choices]
            told += own
        choices = [choice.whole(index) for index, choice in enumerate(told)]
        return {**self._frame, "choices": choices, "usage": self.usage}
