"""Reading a text with a model: what it expected of each token before it saw it, piece by piece from its state."""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from glassloom.generation.choosing import not_finite
from glassloom.generation.rows import PIECE
from glassloom.models.contract import LanguageModel, State


class Looked(NamedTuple):
    """A token as the model expected it: its nats at temperature 1, and the most probable ones with theirs."""

    id: int
    nats: float
    top: tuple[tuple[int, float], ...]


class Reader:
    """A model on its way through one text.

    >>> from glassloom.models import build
    >>> reader = Reader(build("gru", vocabulary=3))
    >>> first, second = reader.look([0, 2], top=3)
    >>> first, round(float(sum(np.exp(-nats) for _, nats in second.top)), 6)
    (None, 1.0)
    """

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self._state: State | None = None
        self._expected: Float64[np.ndarray, " vocab"] | None = None
        self._device = next((weights.device for weights in model.parameters()), torch.device("cpu"))

    def copy(self) -> "Reader":
        """Another reader at the same place."""
        other = Reader(self._model)
        other._state, other._expected = self._state, self._expected
        return other

    @property
    def state(self) -> State:
        """The state after what was read; that of a new row where nothing was."""
        return self._model.initial_state(1) if self._state is None else self._state

    def skim(self, ids: list[int]) -> None:
        """Read on, and look at nothing."""
        for piece in self._pieces(ids):
            self._read(piece)
            self._expected = None

    def look(self, ids: list[int], top: int) -> list[Looked | None]:
        """Read on: each token with its nats and the `top` most probable ones; None where nothing was expected yet.

        That is so of the very first token, and of one after text that was only skimmed.

        Raises:
            GlassloomError: the model's probabilities are not finite.
        """
        found: list[Looked | None] = []
        for piece in self._pieces(ids):
            after = self._log_odds(self._read(piece))
            before = after[:-1] if self._expected is None else np.concatenate([self._expected[None], after[:-1]])
            read = piece[0].tolist()
            if self._expected is None:
                found.append(None)
                read = read[1:]
            found += [looked(index, row, top) for index, row in zip(read, before, strict=True)]
            self._expected = after[-1]
        return found

    def _pieces(self, ids: list[int]) -> tuple[Tensor, ...]:
        whole = torch.tensor([ids], dtype=torch.long, device=self._device)
        return whole.split(PIECE, dim=1) if ids else ()

    @torch.inference_mode()
    def _read(self, piece: Tensor) -> Tensor:
        hidden, self._state = self._model.hidden(piece, self._state)
        return hidden

    @torch.inference_mode()
    def _log_odds(self, hidden: Tensor) -> Float64[np.ndarray, "time vocab"]:
        found = self._model.logits(hidden)[0].double().log_softmax(-1).cpu().numpy()
        if not np.isfinite(found.max(1)).all():
            raise not_finite()
        return found


def looked(index: int, expected: Float64[np.ndarray, " vocab"], top: int) -> Looked:
    """A token beside the most probable ones; of equally probable ones the lower id comes first."""
    top = min(top, len(expected))
    best = np.argpartition(-expected, top - 1)[:top] if top else np.empty(0, dtype=np.int64)
    best = best[np.lexsort((best, -expected[best]))]
    return Looked(index, -float(expected[index]), tuple((int(one), -float(expected[one])) for one in best))
