"""Streams whose windows have random lengths and begin elsewhere in each epoch (Merity et al. 2018, section 4.1).

    around = T with probability 0.95, else T/2        T: sequence_length
    length = N(around, 5^2), rounded down, at least 5 and at most the longest

With windows of one length the same tokens end a window in every epoch, and no gradient ever passes from them to what
follows. The learning rate of a step goes with its length (`length / T`, see `glassloom.training.loop`), for a short
window would else count for more than its share.

Each epoch reads the text from another place on, and at its end goes on at its beginning; so the rows are other
stretches in each epoch. What of a row is too short for a window of 5 is left out of that epoch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from glassloom.data.batches import Batch, Sampler, as_tokens, check_size

WHOLE, DEVIATION, SHORTEST = 0.95, 5.0, 5
MOST_DEVIATIONS = 4
"""No window is longer than T and so many deviations, or than the model's context."""


class RandomLengths(Sampler):
    """One contiguous stretch of the text per row, read in windows of random lengths.

    `epoch` counts the share of a row that was read; `steps_per_epoch` is what the mean length makes of it.
    """

    kind = "streams of random lengths"

    def __init__(
        self,
        ids: np.ndarray,
        batch_size: int,
        sequence_length: int,
        rng: np.random.Generator,
        longest: int | None = None,
    ) -> None:
        super().__init__()
        check_size(len(ids), batch_size, sequence_length)
        self._ids, self._window, self._rng = ids, sequence_length, rng
        self._length = len(ids) // batch_size
        self._begins = np.arange(batch_size)[:, None] * self._length
        self._shortest = min(SHORTEST, sequence_length)
        self._longest = longest or sequence_length + int(MOST_DEVIATIONS * DEVIATION)
        mean = sequence_length * (1 + WHOLE) / 2
        self.steps_per_epoch = max(1, round((self._length - 1) / mean))
        self._passes = 0
        self._begin_pass()

    def _begin_pass(self) -> None:
        self._offset, self._read = int(self._rng.integers(len(self._ids))), 0

    @property
    def epoch(self) -> float:
        return self._passes + self._read / (self._length - 1)

    def _drawn(self) -> int:
        around = self._window if self._rng.random() < WHOLE else self._window / 2
        return min(max(self._shortest, int(self._rng.normal(around, DEVIATION))), self._longest)

    def __next__(self) -> Batch:
        left = self._length - 1 - self._read
        length = min(self._drawn(), left)
        places = self._offset + self._begins + self._read + np.arange(length + 1)
        tokens = as_tokens(self._ids[places % len(self._ids)])
        fresh = torch.full((len(tokens),), self._read == 0)
        self.steps += 1
        self._read += length
        if left - length < self._shortest:
            self._passes += 1
            self._begin_pass()
        return Batch(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), fresh)

    def state(self) -> dict[str, Any]:
        own = {"epoch": self.epoch, "passes": self._passes, "read": self._read, "offset": self._offset}
        return super().state() | own | {"rng": self._rng.bit_generator.state}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self._passes, self._read, self._offset = (int(state[name]) for name in ("passes", "read", "offset"))
        self._rng.bit_generator.state = state["rng"]
