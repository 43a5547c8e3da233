"""The one decoder: token by token from the model's state; no token is ever run twice.

The prompt is read in one pass (a long one in pieces), as one row; then all samples go on from its state as one batch,
and a sample that has ended leaves it. Which architecture it is, the decoder never asks.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import torch

from glassloom.data.tokenizers import Streamer, Tokenizer
from glassloom.generation.choosing import Chooser, not_finite
from glassloom.generation.rows import Stretch, begin, last_logits
from glassloom.generation.settings import DecodingSettings
from glassloom.generation.stopping import StopWatch
from glassloom.models.contract import LanguageModel

PIECE = 1024
"""So many tokens of a prompt are read at once."""

Stopped = Literal["length", "stop", "end"]
"""Why a sample ended: it is as long as asked for, a stop string came, or the model said `.end`."""


class Decoded(NamedTuple):
    """One token of one sample.

    `text` is what can be shown since the token before (it may be empty: half a character, or what may become a stop
    string, is held back); `nats` is the token's loss under the model at temperature 1. `stopped` is set on a sample's
    last token.
    """

    sample: int
    id: int
    text: str
    nats: float
    stopped: Stopped | None


def decode(
    model: LanguageModel, prompt: Sequence[int], settings: DecodingSettings, *, tokenizer: Tokenizer
) -> Iterator[Decoded]:
    """Continue a prompt, one token of each sample after the other; settings.count samples side by side.

    A model of sequences reads `.start` before the prompt. Any other one, given no prompt, begins after a line end, or
    after token 0 where its vocabulary has none. The prompt may be longer than the model's context.

    Raises:
        GlassloomError: the model's probabilities are not finite.
    """
    was_training = model.training
    model.eval()
    try:
        yield from _continue(model, [int(index) for index in prompt], settings, tokenizer)
    finally:
        model.train(was_training)


def first_tokens(prompt: list[int], tokenizer: Tokenizer) -> list[int]:
    """What the model reads before it says anything: the prompt, or what stands for its absence; see `decode`."""
    if ".start" in tokenizer.specials:
        return [tokenizer.specials[".start"], *prompt]
    if prompt:
        return prompt
    return [0] if tokenizer.unknown("\n") else tokenizer.encode("\n").tolist()


def _continue(
    model: LanguageModel, prompt: list[int], settings: DecodingSettings, tokenizer: Tokenizer
) -> Iterator[Decoded]:
    device = next((weights.device for weights in model.parameters()), torch.device("cpu"))
    end = tokenizer.specials.get(".end")
    chooser = Chooser(settings, end)
    lines = [_Line(sample, prompt, settings, tokenizer.streamer(), end) for sample in range(settings.count)]
    tokens, state = torch.tensor([first_tokens(prompt, tokenizer)], device=device), None
    for piece in tokens.split(PIECE, dim=1):
        logits, state = last_logits(model, piece, state)
    assert state is not None
    ids, nats = chooser.choose(logits.repeat(settings.count, axis=0), chooser.coming(1)[:, 0])
    stretches: list[Stretch] = [([index], [loss]) for index, loss in zip(ids, nats, strict=True)]
    rows = begin(model, state, settings.count, chooser) if settings.length > 1 else None
    place = 0
    while True:
        for step in range(max(1, *(len(ids) for ids, _ in stretches))):
            place += 1
            for line, (ids, nats) in zip(lines, stretches, strict=True):
                if line.stopped is not None:
                    continue
                if step == len(ids):
                    raise not_finite()
                text = line.add(ids[step], last=place == settings.length)
                yield Decoded(line.sample, ids[step], text, nats[step], line.stopped)
        going = [row for row, line in enumerate(lines) if line.stopped is None]
        if not going:
            return
        assert rows is not None
        last = [stretches[row][0][-1] for row in going]
        if len(going) < len(lines):
            lines = [lines[row] for row in going]
            rows.keep(going)
        stretches = rows.go_on(last, [line.sample for line in lines], settings.length - place)


class _Line:
    """One sample as it is written: its text, piece by piece, and whether it has ended."""

    def __init__(
        self, sample: int, prompt: list[int], settings: DecodingSettings, streamer: Streamer, end: int | None
    ) -> None:
        self.sample, self._streamer, self._end = sample, streamer, end
        self.stopped: Stopped | None = None
        self._watch = StopWatch(settings.stop)
        for index in prompt[-8:]:  # a word after a word gets its space; and more than a character's bytes
            streamer.push(index)

    def add(self, index: int, last: bool) -> str:
        """The text that this token sets free; `stopped` says why the sample ends with it, if it does."""
        ends = index == self._end
        text = self._watch.push(self._streamer.push(index))
        if ends or last:
            self.stopped = "end" if ends else "length"
            text += self._watch.push(self._streamer.flush())
        if self._watch.hit:
            self.stopped = "stop"
        elif self.stopped is not None:
            text += self._watch.flush()
        return text
