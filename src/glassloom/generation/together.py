"""Texts of several askers, written side by side: each joins when it comes, and leaves when it has ended.

Continuous batching (Yu et al. 2022, Orca: scheduling by iteration). A round gives every text its share of a few
hundredths of a second, and one prompt that is still being read one piece, so nobody waits for another's end. Each text
has its own state, its own settings and its own random numbers, and is computed by itself, whatever else is being
written: it is the same, bit for bit, as alone, and as `glassloom.generation.generate` writes it (where only torch runs
the model, but for rounding).
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import torch

from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import GlassloomError
from glassloom.generation.choosing import Chooser
from glassloom.generation.decoder import Line, Written, first_tokens
from glassloom.generation.reading import Looked, Reader
from glassloom.generation.ready import decoder_of
from glassloom.generation.rows import PACE, PIECE, PlanRows, TorchRows
from glassloom.generation.settings import DecodingSettings
from glassloom.kernels.decoders import Decoder, chosen
from glassloom.models.contract import LanguageModel


class News(NamedTuple):
    """What a round brought: of a prompt, that it is read (`sample` is None); of a text, what was written.

    `looked` are the tokens as the model expected them, where that was asked for: those of the prompt (None for its
    first token, before which nothing was read), or those written. With an error nothing more comes of the prompt.
    """

    prompt: "Prompt"
    sample: int | None = None
    written: Written | None = None
    looked: tuple[Looked | None, ...] = ()
    error: GlassloomError | None = None


class Prompt:
    """A prompt, and the texts that go on from it: one for each of the settings, whose `count` does not matter.

    `top`: how many of the most probable tokens are told beside each one that is written; None tells nothing. `looks`:
    the prompt's own tokens are told too.
    """

    def __init__(
        self, ids: Sequence[int], several: Sequence[DecodingSettings], *, top: int | None = None, looks: bool = False
    ) -> None:
        self.ids, self.several, self.top, self.looks = list(ids), list(several), top, looks and top is not None


class _Reading:
    """A prompt on its way into the model."""

    def __init__(self, prompt: Prompt, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self.prompt, self.reader = prompt, Reader(model)
        self.ids = first_tokens(prompt.ids, tokenizer)
        self._unseen, self._at = len(self.ids) - len(prompt.ids), 0
        self._looked: list[Looked | None] = []

    def go_on(self) -> bool:
        """Read a piece, or the last token's; whether all but the last token has been read."""
        ends = len(self.ids) - 1
        if self._at < ends:
            piece = self.ids[self._at : min(self._at + PIECE, ends)]
            self._take(piece)
            self._at += len(piece)
        return self._at == ends

    def last(self) -> tuple[Looked | None, ...]:
        """Read the last token; all of the prompt's own, where they are told."""
        self._take(self.ids[-1:])
        return tuple(self._looked[self._unseen :])

    def _take(self, ids: list[int]) -> None:
        if self.prompt.looks:
            self._looked += self.reader.look(ids, self.prompt.top or 0)
        elif self.prompt.top is not None and self._at == len(self.ids) - 1:
            self.reader.look(ids, 0)  # what is expected first
        else:
            self.reader.skim(ids)


class _Text:
    """A text on its way."""

    def __init__(
        self, prompt: Prompt, sample: int, rows: PlanRows | TorchRows, last: int, reader: Reader | None, line: Line
    ) -> None:
        self.prompt, self.sample, self.line = prompt, sample, line
        self._rows, self._last, self.reader = rows, last, reader
        self._left = prompt.several[sample].length

    @property
    def has_ended(self) -> bool:
        return self.line.stopped is not None

    def go_on(self, pace: float) -> News:
        """Write on for so many seconds."""
        if isinstance(self._rows, PlanRows):
            self._rows.pace = pace
        try:
            [(ids, nats)] = self._rows.go_on([self._last], [0], self._left)
            self._left -= len(ids)
            self._last = ids[-1]
            written = self.line.write(ids, nats, last=self._left == 0)
            looked = self.reader.look(written.ids, self.prompt.top or 0) if self.reader is not None else []
        except GlassloomError as error:
            return News(self.prompt, self.sample, error=error)
        return News(self.prompt, self.sample, written, tuple(looked))


class Together:
    """One model, and all that is being written with it. For one thread.

    >>> together = Together(model, tokenizer)  # doctest: +SKIP
    >>> together.join(Prompt(ids, [DecodingSettings(length=20)]))  # doctest: +SKIP
    >>> while together.is_busy: news = together.go_on()  # doctest: +SKIP
    """

    def __init__(self, model: LanguageModel, tokenizer: Tokenizer) -> None:
        self._model, self._tokenizer = model.eval(), tokenizer
        self._decoder: Decoder | None = None if chosen() == "torch" else decoder_of(model)
        self._reading: list[_Reading] = []
        self._texts: list[_Text] = []
        self._end = tokenizer.specials.get(".end")

    @property
    def is_busy(self) -> bool:
        """Whether there is anything to go on with."""
        return bool(self._reading or self._texts)

    def join(self, prompt: Prompt) -> None:
        """Take a prompt in; the next round begins with it."""
        self._reading.append(_Reading(prompt, self._model, self._tokenizer))

    def leave(self, prompt: Prompt) -> None:
        """Nobody waits for this prompt's texts any more."""
        self._reading = [one for one in self._reading if one.prompt is not prompt]
        self._texts = [one for one in self._texts if one.prompt is not prompt]

    def go_on(self) -> list[News]:
        """A round."""
        news = list(self._read())
        pace = PACE / max(1, len(self._texts))
        threads = min(len(self._texts), torch.get_num_threads())
        if threads > 1 and self._decoder is not None and self._decoder.name == "native":
            with ThreadPoolExecutor(threads) as pool:  # the compiled decoder leaves Python alone while it runs
                news += pool.map(lambda text: text.go_on(pace * threads), self._texts)
        else:
            news += [text.go_on(pace) for text in self._texts]
        for one in news:
            if one.error is not None:
                self.leave(one.prompt)
        self._texts = [text for text in self._texts if not text.has_ended]
        return news

    def _read(self) -> Iterator[News]:
        """A piece of the prompt that has waited longest; where it is whole, its texts begin."""
        if not self._reading:
            return
        reading = self._reading.pop(0)
        try:
            if not reading.go_on():
                self._reading.append(reading)
                return
            began = [self._begin(reading, sample) for sample in range(len(reading.prompt.several))]
            looked = reading.last() if reading.prompt.top is not None else ()
        except GlassloomError as error:
            yield News(reading.prompt, error=error)
            return
        for text in began:
            if text.reader is not None:
                text.reader = reading.reader.copy()
        self._texts += began
        yield News(reading.prompt, looked=looked)

    def _begin(self, reading: _Reading, sample: int) -> _Text:
        prompt, state = reading.prompt, reading.reader.state
        settings = prompt.several[sample].model_copy(update={"count": 1})
        chooser = Chooser(settings, self._end)
        rows: PlanRows | TorchRows
        if self._decoder is not None:
            rows = PlanRows(self._model, self._decoder, self._model.rows_of(state), chooser)
        else:
            rows = TorchRows(self._model, state, chooser)
        line = Line(sample, prompt.ids, settings, self._tokenizer.streamer(), self._end)
        reader = reading.reader if prompt.top is not None else None
        return _Text(prompt, sample, rows, reading.ids[-1], reader, line)
