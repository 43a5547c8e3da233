"""The one decoder: token by token from the model's state; no token is ever run twice.

The prompt is read in one pass (a long one in pieces), as one row; then all samples go on from its state as one batch,
and a sample that has ended leaves it. Which architecture it is, the decoder never asks.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, repeat, zip_longest
from typing import Literal, NamedTuple

from glassloom.data.tokenizers import Streamer, Tokenizer
from glassloom.generation.choosing import Chooser
from glassloom.generation.rows import begin
from glassloom.generation.settings import DecodingSettings
from glassloom.generation.stopping import StopWatch
from glassloom.models.contract import LanguageModel

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


class Written(NamedTuple):
    """Some tokens of one sample, one after the other: what `Decoded` says of each; `stopped` is the last one's."""

    sample: int
    ids: list[int]
    texts: list[str]
    nats: list[float]
    stopped: Stopped | None

    def tokens(self) -> Iterator[Decoded]:
        """One by one."""
        stopped = chain(repeat(None, len(self.ids) - 1), [self.stopped])
        return map(Decoded, repeat(self.sample), self.ids, self.texts, self.nats, stopped)


def decode(
    model: LanguageModel, prompt: Sequence[int], settings: DecodingSettings, *, tokenizer: Tokenizer
) -> Iterator[Decoded]:
    """`decode_in_rounds`, token by token."""
    for written in decode_in_rounds(model, prompt, settings, tokenizer=tokenizer):
        yield from in_turn(written)


def decode_in_rounds(
    model: LanguageModel, prompt: Sequence[int], settings: DecodingSettings, *, tokenizer: Tokenizer
) -> Iterator[list[Written]]:
    """Continue a prompt, one token of each sample after the other; settings.count samples side by side.

    A model of sequences reads `.start` before the prompt. Any other one, given no prompt, begins after a line end, or
    after token 0 where its vocabulary has none. The prompt may be longer than the model's context. The tokens of a few
    hundredths of a second come together.

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
) -> Iterator[list[Written]]:
    end = tokenizer.specials.get(".end")
    chooser = Chooser(settings, end)
    lines = [Line(sample, prompt, settings, tokenizer.streamer(), end) for sample in range(settings.count)]
    left = settings.length
    rows, stretches = begin(model, first_tokens(prompt, tokenizer), settings.count, chooser, left)
    while True:
        left -= max(len(ids) for ids, _ in stretches)
        yield [line.write(*stretch, last=left == 0) for line, stretch in zip(lines, stretches, strict=True)]
        going = [row for row, line in enumerate(lines) if line.stopped is None]
        if not going:
            return
        last = [stretches[row][0][-1] for row in going]
        if len(going) < len(lines):
            lines = [lines[row] for row in going]
            rows.keep(going)
        stretches = rows.go_on(last, [line.sample for line in lines], left)


def in_turn(written: list[Written]) -> Iterator[Decoded]:
    """The first token of each sample, then the second of each that has one, and so on."""
    if len(written) == 1:
        return written[0].tokens()
    steps = zip_longest(*(one.tokens() for one in written))
    return (token for step in steps for token in step if token is not None)


class Line:
    """One sample as it is written: its text, piece by piece, and whether it has ended."""

    def __init__(
        self, sample: int, prompt: list[int], settings: DecodingSettings, streamer: Streamer, end: int | None
    ) -> None:
        self.sample, self._streamer, self._end = sample, streamer, end
        self.stopped: Stopped | None = None
        self._watch, self._watched = StopWatch(settings.stop), bool(settings.stop)
        for index in prompt[-8:]:  # a word after a word gets its space; and more than a character's bytes
            streamer.push(index)

    def write(self, ids: list[int], nats: list[float], last: bool) -> Written:
        """Tokens of this sample, up to a stop string; `stopped` says why it ends with them, if it does.

        Nothing comes after `.end`; `last`: the sample is as long as asked for.
        """
        texts = list(map(self._streamer.push, ids))
        if self._watched:
            for place, text in enumerate(texts):
                texts[place] = self._watch.push(text)
                if self._watch.hit:
                    self.stopped = "stop"
                    texts = texts[: place + 1]
                    break
        if self.stopped is None and (last or ids[-1] == self._end):
            ended = ids[-1] == self._end
            if ended:  # a character that the length cuts is left out; one that the model itself leaves unfinished shows
                texts[-1] += self._watch.push(self._streamer.flush())
            self.stopped = "stop" if self._watch.hit else "end" if ended else "length"
            texts[-1] += self._watch.flush()
        count = len(texts)
        return Written(self.sample, ids[:count], texts, nats[:count], self.stopped)
