"""How a run's training loss went: smoothed, as it was logged, and its mean over the last pass of the text."""

from dataclasses import dataclass

from glassloom.runs import Run


@dataclass(frozen=True)
class SmoothedLoss:
    """The exponentially smoothed training loss at the logged updates, in nats per token."""

    updates: tuple[int, ...]
    nats: tuple[float, ...]
    smoothing: float
    """The weight of the past; the loss of the first update stands at the beginning."""

    def at(self, update: int) -> float | None:
        """The value after so many updates; None where nothing was logged there."""
        return dict(zip(self.updates, self.nats, strict=True)).get(update)

    @property
    def best(self) -> tuple[float, int]:
        """The lowest logged value and its update: where it falls depends on the passage of the text."""
        return min(zip(self.nats, self.updates, strict=True))


@dataclass(frozen=True)
class PassMean:
    """The mean of the training losses that were met over the last pass of the text, in nats per token."""

    nats: float
    updates: int
    """Of how many updates, the last ones: a pass, to the next logged update; all of them in a shorter training."""
    whole: bool
    """Whether that is a pass at least."""


def smoothed_loss(run: Run) -> SmoothedLoss:
    """Every logged value of the smoothed loss, once each."""
    found = {record["step"]: record["smoothed_nats"] for record in run.metrics() if "smoothed_nats" in record}
    steps = sorted(found)
    return SmoothedLoss(tuple(steps), tuple(found[step] for step in steps), run.config.train.smoothing)


def mean_of_last_pass(run: Run) -> PassMean:
    """The mean over the last updates that make up one pass of the training text, every token counted once."""
    records = [record for record in run.metrics() if record["event"] == "train"]
    batches = run.newest().progress()["batches"]
    begin = max(0, records[-1]["step"] - batches["steps_per_epoch"])
    first = max((place for place, record in enumerate(records) if record["step"] <= begin), default=-1)
    before = records[first] if first >= 0 else {"step": 0, "tokens": 0}
    total, last = 0.0, before["tokens"]
    for record in records[first + 1 :]:
        total += record["train_nats"] * (record["tokens"] - last)
        last = record["tokens"]
    updates = records[-1]["step"] - before["step"]
    return PassMean(total / (last - before["tokens"]), updates, updates >= batches["steps_per_epoch"])
