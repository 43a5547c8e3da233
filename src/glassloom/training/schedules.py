"""How the learning rate goes through training: a factor, mostly between 0 and 1, that multiplies it.

    constant   1
    linear     from 1 down to `lr_final`, in a straight line
    cosine     from 1 down to `lr_final`, along half a cosine (Loshchilov & Hutter, 2017)
    wsd        1, and over the last `decay_share` down to `lr_final` as 1 - sqrt (Hägele et al., 2024)
    step       times `step_factor` after every `step_every` epochs
    plateau    times `plateau_factor` after `plateau_patience` evaluations in a row without a new best

Each after a warm-up that rises in a straight line to 1. The decays begin where the warm-up ends.
"""

import math
from collections.abc import Mapping
from typing import Any

from glassloom.config.training import TrainSettings


class Schedule:
    """The factor on the learning rate. Only `plateau` remembers anything; see `state`.

    >>> Schedule(TrainSettings(schedule="linear", lr_final=0.5)).factor(progress=0.5, step=50, epoch=1.0)
    0.75
    """

    def __init__(self, settings: TrainSettings) -> None:
        self.settings = settings
        self._scale, self._best, self._waited = 1.0, math.inf, 0

    def factor(self, progress: float, step: int, epoch: float) -> float:
        """What the coming update's learning rate is multiplied by.

        `progress` is the fraction of the budget that is used, from 0 to 1; `step` how many updates have been made;
        `epoch` how many passes over the text, with its fraction.
        """
        warm, end = self._warmup(progress, step)
        if warm < 1:
            return warm * self._scale
        done = min(max((progress - end) / (1 - end), 0.0), 1.0) if end < 1 else 0.0
        return self._decay(done, progress, epoch) * self._scale

    def _warmup(self, progress: float, step: int) -> tuple[float, float]:
        """How far the warm-up has come, and the progress at which it ends.

        In steps, the first update gets 1 / warmup; as a fraction, the warm-up begins at one hundredth.
        """
        warmup = self.settings.warmup
        if warmup == 0:
            return 1.0, 0.0
        if warmup < 1:
            return min(max(progress / warmup, 0.01), 1.0), warmup
        if step < warmup:
            return min((step + 1) / warmup, 1.0), progress
        return 1.0, progress * warmup / step

    def _decay(self, done: float, progress: float, epoch: float) -> float:
        settings = self.settings
        match settings.schedule:
            case "linear":
                remaining = 1 - done
            case "cosine":
                remaining = (1 + math.cos(math.pi * done)) / 2
            case "wsd":
                decayed = 1 - (1 - min(progress, 1.0)) / settings.decay_share
                remaining = 1 - math.sqrt(max(decayed, 0.0))
            case "step":
                return settings.step_factor ** math.floor(epoch / settings.step_every)
            case "constant" | "plateau":
                return 1.0
        return settings.lr_final + (1 - settings.lr_final) * remaining

    def observe(self, valid_loss: float) -> None:
        """Tell the schedule the held-out loss of an evaluation; only `plateau` listens. NaN is no new best."""
        if self.settings.schedule != "plateau":
            return
        if valid_loss < self._best:
            self._best, self._waited = valid_loss, 0
            return
        self._waited += 1
        if self._waited >= self.settings.plateau_patience:
            self._scale *= self.settings.plateau_factor
            self._waited = 0

    def state(self) -> dict[str, Any]:
        """What `plateau` remembers, as plain JSON."""
        best = None if math.isinf(self._best) else self._best
        return {"scale": self._scale, "best": best, "waited": self._waited}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        best = state["best"]
        self._scale, self._waited = float(state["scale"]), int(state["waited"])
        self._best = math.inf if best is None else float(best)
