"""Whether a run's loss jumps where its streams of text begin anew, and falls until they do so again: a sawtooth.

Streams read each row's stretch of the text from front to back, `steps_per_epoch` updates long, and begin anew. A model
that forgets the front while it reads the rest pays for it at each border. The jump is the mean, over borders, of the
loss at the front of an epoch minus that at the end of the epoch before (PART of each); the very first line of an epoch
is left out, for the carried state begins anew there, which costs a little in every sound run.
"""

import math

import numpy as np

from glassloom.doctor.finding import Finding
from glassloom.doctor.recorded import Floats, History
from glassloom.doctor.run_names import run_finding

PART = 0.15
"""The part of an epoch on each side of a border."""
LEAST_STEPS, LEAST_LINES = 20, 20
"""Updates and lines of the metrics that an epoch must have, for a border to be seen in it."""


def sawtooth(history: History) -> Finding | None:
    """`sawtooth-at-borders`: a jump of 8 percent and 0.15 nats, beyond four standard errors, that is undone each time.

    Serious from 0.4 nats and a quarter of the loss on.
    """
    train, period = history.run.config.train, history.steps_per_epoch
    if train.batching != "streams" or period is None or period < LEAST_STEPS or history.epochs < 3:
        return None
    places, losses = middles(history.updates["epoch"]), history.losses
    if len(losses) < LEAST_LINES * history.epochs:
        return None
    jumps, undone = at_borders(places, losses)
    if len(jumps) < 2:
        return None
    jump, error = float(jumps.mean()), float(jumps.std(ddof=1)) / math.sqrt(len(jumps))
    level, fell = float(losses[places >= 1].mean()), float(undone.mean())
    if jump <= max(0.15, 0.08 * level) or jump <= 4 * error or fell < 0.5 * jump:
        return None
    return run_finding(
        "sawtooth-at-borders",
        {"period_steps": period, "borders": len(jumps), "jump_nats": jump, "error_nats": error, "falls_nats": fell,
         "mean_nats": level, "rows": int(train.batch_size)},
        f"Every {period:,} steps, where each of the {train.batch_size} rows comes back to its beginning, it jumps by "
        f"{jump:.3f} ± {error:.3f} nats a token and falls by {fell:.3f} until the next border.",
        severity="serious" if jump >= max(0.4, 0.25 * level) else "note",
    )  # fmt: skip


def middles(epochs: Floats) -> Floats:
    """Where in the text the middle of each line's steps lies, in epochs: a line is about all steps since the last."""
    return epochs - np.diff(epochs, prepend=0.0) / 2


def at_borders(places: Floats, losses: Floats) -> tuple[Floats, Floats]:
    """At each border the jump, and how far the loss falls from just after it to the end of that epoch.

    >>> places, saw = np.arange(0, 3, 0.05) + 0.025, 1 + 0.5 * (1 - np.arange(0, 3, 0.05) % 1)
    >>> [round(float(jump), 2) for jump in at_borders(places, saw)[0]]
    [0.41, 0.41]
    """
    epoch, phase = np.floor(places).astype(int), places % 1
    jumps, undone = [], []
    for border in range(1, int(epoch.max()) + 1):
        after = losses[(epoch == border) & (phase < PART)][1:]
        before = losses[(epoch == border - 1) & (phase > 1 - PART)]
        late = losses[(epoch == border) & (phase >= 1 - PART)]
        if len(after) and len(before):
            jumps.append(after.mean() - before.mean())
        if len(after) and len(late):
            undone.append(after.mean() - late.mean())
    return np.array(jumps), np.array(undone or [0.0])
