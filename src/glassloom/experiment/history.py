"""A run's history epoch by epoch, and the histories that were reported elsewhere, in the same form."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glassloom.exhibits import Axis, Lines, Series
from glassloom.runs import Run

WRITTEN = 700.0
"""Beyond so many nats no float holds the perplexity."""


@dataclass(frozen=True)
class History:
    """Perplexities at each evaluation: train is the running mean since the one before, with dropout on."""

    epochs: tuple[float, ...]
    seconds: tuple[float, ...]
    train: tuple[float | None, ...]
    valid: tuple[float | None, ...]

    @property
    def best(self) -> tuple[float, float] | None:
        """The lowest validation perplexity, and its epoch."""
        found = [(value, epoch) for value, epoch in zip(self.valid, self.epochs, strict=True) if value is not None]
        return min(found) if found else None


def history_of(run: Run) -> History:
    """What a run measured at its evaluations."""
    found = [record for record in run.metrics() if record["event"] == "evaluation"]
    return History(
        epochs=tuple(record["epoch"] for record in found),
        seconds=tuple(record["seconds"] for record in found),
        train=tuple(perplexity(record["train_nats"]) for record in found),
        valid=tuple(perplexity(record["valid_nats"]) for record in found),
    )


def perplexity(nats: float | None) -> float | None:
    """A loss as perplexity; None where no float holds it."""
    return None if nats is None or not nats < WRITTEN else math.exp(nats)


def reported_history(rows: Sequence[Mapping[str, str]], id: str) -> History | None:
    """The reported perplexities of a run by epoch; its seconds are spread evenly over the epochs."""
    own = {row["split"]: row for row in rows if row["id"] == id}
    if "valid" not in own:
        return None
    names = [name for name in own["valid"] if name.startswith("epoch_") and own["valid"][name]]
    epochs = tuple(float(name.removeprefix("epoch_")) for name in names)
    a_epoch = float(own["valid"]["seconds"]) / max(epochs)
    train = own.get("train", {})
    return History(
        epochs=epochs,
        seconds=tuple(a_epoch * epoch for epoch in epochs),
        train=tuple(float(train[name]) if train.get(name) else None for name in names),
        valid=tuple(float(own["valid"][name]) for name in names),
    )


def curves(
    histories: Mapping[str, History], over: str, *, name: str, title: str, caption: str, splits: Sequence[str]
) -> Lines:
    """Histories as curves: validation solid, training dashed; over `epochs` or `seconds`."""
    axis = {"epochs": "epochs", "seconds": "wall-clock seconds of training"}[over]
    series = [
        Series(name=f"{id} · {split}", x=getattr(history, over), y=getattr(history, split), dashed=split == "train")
        for id, history in histories.items()
        for split in splits
    ]
    return Lines(
        name=name,
        title=title,
        caption=caption,
        x=Axis(axis),
        y=Axis("perplexity", log=True),
        series=tuple(series),
    )
