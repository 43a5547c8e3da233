"""Samples on their way: each reads its token and chooses the next, as one batch of torch's or row by row by a plan.

Either way a sample is the same for the same seed but for rounding, and the decoder never knows which way it came.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from glassloom.errors import GlassloomError
from glassloom.generation.choosing import Chooser, not_finite
from glassloom.generation.ready import decoder_of
from glassloom.kernels.decoders import Decoder, DecodingRow, chosen
from glassloom.kernels.native_decoder import NativeRow
from glassloom.kernels.plan import Row
from glassloom.models.contract import LanguageModel, State, take_rows

Stretch = tuple[list[int], list[float]]
"""Tokens of one sample, and the nats of each at temperature 1."""
PIECE = 1024
"""So many tokens of a prompt are read at once."""
PACE = 0.02
"""So many seconds of work come at once: too short to be seen, and long against what a call costs."""
MOST_ROWS = {"native": 64, "numpy": 8, "torch": 0}
"""Beyond so many samples torch's one batch takes less time, or less memory, than rows one by one."""


class Rows(Protocol):
    """Samples on their way."""

    def go_on(self, tokens: list[int], samples: list[int], most: int) -> list[Stretch]:
        """Each sample reads its token and chooses the next, 1 to `most` of them; all equally many, or up to its end.

        Raises:
            GlassloomError: the model's probabilities are not finite.
        """

    def keep(self, rows: list[int]) -> None:
        """Go on with these rows only."""


def begin(
    model: LanguageModel, prompt: list[int], count: int, chooser: Chooser, most: int
) -> tuple[Rows, list[Stretch]]:
    """Read a prompt once for all samples, and choose the first tokens of each, up to `most`.

    Raises:
        GlassloomError: the model's probabilities are not finite.
    """
    decoder = decoder_of(model) if count <= MOST_ROWS[chosen()] else None
    rows: Rows
    if decoder is not None:
        rows = PlanRows(model, decoder, model.rows_of(read(model, prompt[:-1])[1]) * count, chooser)
        return rows, rows.go_on(prompt[-1:] * count, list(range(count)), most)
    logits, state = read(model, prompt)
    ids, nats = chooser.choose(logits.repeat(count, axis=0), chooser.coming(1)[:, 0])
    rows = TorchRows(model, state if count == 1 else copies(state, count), chooser)
    return rows, [([index], [loss]) for index, loss in zip(ids, nats, strict=True)]


def read(model: LanguageModel, tokens: list[int]) -> tuple[Float64[np.ndarray, "rows vocab"], State]:
    """Tokens as one row, piece by piece: the logits after them, and the state."""
    device = next((weights.device for weights in model.parameters()), torch.device("cpu"))
    logits, state = np.empty((0, model.vocabulary)), None
    for piece in torch.tensor([tokens], dtype=torch.long, device=device).split(PIECE, dim=1) if tokens else ():
        logits, state = last_logits(model, piece, state)
    return logits, model.initial_state(1) if state is None else state


@torch.inference_mode()
def last_logits(
    model: LanguageModel, tokens: Tensor, state: State | None
) -> tuple[Float64[np.ndarray, "rows vocab"], State]:
    """The logits after the last of the tokens, and the state."""
    hidden, state = model.hidden(tokens, state)
    return model.logits(hidden[:, -1:])[:, 0].cpu().double().numpy(), state


@torch.inference_mode()
def copies(state: State, count: int) -> State:
    """The state of one row as that of several."""
    return take_rows(state, torch.zeros(count, dtype=torch.long, device=state[0].device))


class TorchRows:
    """The model itself, all samples as one batch."""

    def __init__(self, model: LanguageModel, state: State, chooser: Chooser) -> None:
        self._model, self._chooser, self.state = model, chooser, state

    def go_on(self, tokens: list[int], samples: list[int], most: int) -> list[Stretch]:
        read = torch.tensor(tokens, device=self.state[0].device).unsqueeze(1)
        logits, self.state = last_logits(self._model, read, self.state)
        ids, nats = self._chooser.choose(logits, self._chooser.coming(1)[samples, 0])
        return [([index], [loss]) for index, loss in zip(ids, nats, strict=True)]

    @torch.inference_mode()
    def keep(self, rows: list[int]) -> None:
        self.state = take_rows(self.state, torch.tensor(rows, device=self.state[0].device))


class PlanRows:
    """The model's plan, each sample by itself; where a window of positions is full, the model begins the next one."""

    def __init__(self, model: LanguageModel, decoder: Decoder, rows: list[Row], chooser: Chooser) -> None:
        self._model, self._decoder, self._chooser = model, decoder, chooser
        self._window = decoder.plan.window
        self._size, self._broken = 1, False
        self.pace = PACE
        self._begin(rows)

    def _begin(self, rows: list[Row]) -> None:
        self._rows = [self._decoder.begin(row) for row in rows]
        self._recent = [row.recent for row in rows]

    def go_on(self, tokens: list[int], samples: list[int], most: int) -> list[Stretch]:
        if self._broken:
            raise not_finite()
        if self._window is not None:
            most = min(most, self._window - self._rows[0].position + self._rows[0].begins)
            if most == 0:
                return self._next_window(tokens, samples)
        uniforms = self._chooser.coming(min(most, self._size))
        started, jobs = time.perf_counter(), list(zip(self._rows, tokens, uniforms[samples], strict=True))
        threads = min(len(jobs), torch.get_num_threads())
        if threads > 1 and isinstance(self._rows[0], NativeRow):  # which leaves Python alone while it runs
            with ThreadPoolExecutor(threads) as pool:
                stretches = list(pool.map(self._write, *zip(*jobs, strict=True)))
        else:
            stretches = [self._write(*job) for job in jobs]
        if self._window is not None:
            half = self._window // 2
            self._recent = [
                [*recent, token, *ids][-half - 1 : -1] if half else []
                for recent, token, (ids, _) in zip(self._recent, tokens, stretches, strict=True)
            ]
        spent = (time.perf_counter() - started) / uniforms.shape[1]
        self._size = min(max(1, int(self.pace / spent)), 2 * self._size)
        return self._sound(stretches, uniforms.shape[1])

    def _write(self, row: DecodingRow, token: int, uniforms: Float64[np.ndarray, "time"]) -> Stretch:
        """What one sample goes on with: a token a number, or up to its end, or while the probabilities are finite."""
        chooser = self._chooser
        if isinstance(row, NativeRow):
            return row.run(token, uniforms, chooser.choice)
        ids: list[int] = []
        nats: list[float] = []
        for uniform in uniforms.tolist():
            try:
                token, loss = chooser.choose_one(row.read(token), uniform)
            except GlassloomError:
                break
            ids.append(token)
            nats.append(loss)
            if token == chooser.choice.end:
                break
        return ids, nats

    def _sound(self, stretches: list[Stretch], asked: int) -> list[Stretch]:
        """The stretches up to where the probabilities of one of them are not finite, which is said after them."""
        end = self._chooser.choice.end
        lengths = [len(ids) for ids, _ in stretches if len(ids) < asked and not (ids and ids[-1] == end)]
        if not lengths:
            return stretches
        self._broken = True
        if not min(lengths):
            raise not_finite()
        return [(ids[: min(lengths)], nats[: min(lengths)]) for ids, nats in stretches]

    def _next_window(self, tokens: list[int], samples: list[int]) -> list[Stretch]:
        """The model itself reads a token, and runs again what the new window begins with."""
        rows = [row.row() for row in self._rows]
        for row, recent in zip(rows, self._recent, strict=True):
            row.recent = recent
        as_batch = TorchRows(self._model, self._model.state_of(rows), self._chooser)
        stretches = as_batch.go_on(tokens, samples, 1)
        self._begin(self._model.rows_of(as_batch.state))
        return stretches

    def keep(self, rows: list[int]) -> None:
        self._rows = [self._rows[row] for row in rows]
        self._recent = [self._recent[row] for row in rows]
