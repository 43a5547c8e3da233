"""The one decoder: token by token from the model's state; no token is ever run twice.

The prompt is read in one pass (a long one in pieces), as one row; then all samples go on from its state as one batch,
and a sample that has ended leaves it. Which architecture it is, the decoder never asks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from glassloom.data.tokenizers import Streamer, Tokenizer
from glassloom.generation.choosing import Chooser
from glassloom.generation.settings import DecodingSettings
from glassloom.generation.stopping import StopWatch
from glassloom.models.contract import LanguageModel, State, take_rows

PIECE = 1024
"""So many tokens of a prompt are read at once."""

Stopped = Literal["length", "stop", "end"]
"""Why a sample ended: it is as long as asked for, a stop string came, or the model said `.end`."""


@dataclass(frozen=True, slots=True)
class Decoded:
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
    chooser, end = Chooser(settings), tokenizer.specials.get(".end")
    lines = [_Line(sample, prompt, settings, tokenizer.streamer(), end) for sample in range(settings.count)]
    tokens, state = torch.tensor([first_tokens(prompt, tokenizer)], device=device), None
    for piece in tokens.split(PIECE, dim=1):
        logits, state = _forward(model, piece, state)
    assert state is not None
    if settings.count > 1:
        logits = logits.repeat(settings.count, axis=0)
        state = _take(state, [0] * settings.count, device)
    for place in range(1, settings.length + 1):
        ids, nats = chooser.choose(logits, [line.sample for line in lines])
        going = []
        for row, (line, index, loss) in enumerate(zip(lines, ids, nats, strict=True)):
            text, stopped = line.add(index, last=place == settings.length)
            if stopped is None:
                going.append(row)
            yield Decoded(line.sample, index, text, loss, stopped)
        if not going:
            return
        if len(going) < len(lines):
            lines, ids = [lines[row] for row in going], [ids[row] for row in going]
            state = _take(state, going, device)
        logits, state = _forward(model, torch.tensor(ids, device=device).unsqueeze(1), state)


@torch.inference_mode()
def _forward(model: LanguageModel, tokens: Tensor, state: State | None) -> tuple[np.ndarray, State]:
    """The logits after the last of the tokens, and the state."""
    hidden, state = model.hidden(tokens, state)
    return model.logits(hidden[:, -1:])[:, 0].cpu().double().numpy(), state


@torch.inference_mode()
def _take(state: State, rows: list[int], device: torch.device) -> State:
    return take_rows(state, torch.tensor(rows, device=device))


class _Line:
    """One sample as it is written: its text, piece by piece, and whether it has ended."""

    def __init__(
        self, sample: int, prompt: list[int], settings: DecodingSettings, streamer: Streamer, end: int | None
    ) -> None:
        self.sample, self._streamer, self._end = sample, streamer, end
        self._watch = StopWatch(settings.stop)
        for index in prompt[-8:]:  # a word after a word gets its space; and more than a character's bytes
            streamer.push(index)

    def add(self, index: int, last: bool) -> tuple[str, Stopped | None]:
        """The text that this token sets free, and why the sample ends with it, if it does."""
        ends = index == self._end
        text = self._watch.push(self._streamer.push(index))
        if self._watch.hit:
            return text, "stop"
        if not ends and not last:
            return text, None
        text += self._watch.push(self._streamer.flush())
        if self._watch.hit:
            return text, "stop"
        return text + self._watch.flush(), "end" if ends else "length"
