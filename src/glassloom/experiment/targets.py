"""The figures that a recipe must reach: ours beside them, and whether they are reached."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from glassloom.comparison import Comparison
from glassloom.exhibits import Column, Table
from glassloom.experiment.experiment import Experiment
from glassloom.recipes import Target

NOT_YET = "not yet run"


@dataclass(frozen=True)
class Reached:
    """A target, the figure that it asks for (None where it was not measured), and the verdict."""

    target: Target
    value: float | None
    verdict: str
    """`reached`, `missed`, or why there is none."""

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        return self.target.asked

    def as_dict(self) -> dict[str, Any]:
        return {**self.target.model_dump(), "value": self.value, "verdict": self.verdict}


def judged(experiment: Experiment) -> list[Reached]:
    """Every target of the recipe, judged by what is there."""
    return [judge(target, experiment) for target in experiment.recipe.targets()]


def judge(target: Target, experiment: Experiment) -> Reached:
    """One target. The short version is held only to the targets that are meant for it."""
    value = figure(target, experiment)
    if value is None:
        return Reached(target, None, NOT_YET)
    if experiment.quick and not target.quick:
        return Reached(target, value, "not asked of the short version")
    about = target.run or target.of
    if about and target.epoch is None and not target.quick and not experiment.is_full(about):
        return Reached(target, value, "not at full length")
    low = -math.inf if target.lowest is None else target.lowest
    high = math.inf if target.limit is None else target.limit
    return Reached(target, value, "reached" if low <= value <= high else "missed")


def figure(target: Target, experiment: Experiment) -> float | None:
    """The figure that a target asks for."""
    if not target.run:
        return experiment.figures.get(target.figure)
    row = experiment.rows.get(target.run)
    if row is None:
        return None
    if target.epoch is None:
        value = asdict(row).get(target.figure)
        return None if value is None else float(value)
    for comparison in experiment.comparisons.values():
        if (found := perplexity_at(comparison, target.run, target.epoch)) is not None:
            return found
    return None


def perplexity_at(comparison: Comparison, id: str, epoch: float) -> float | None:
    """A run's validation perplexity after so many epochs, under the protocol of evaluation in training."""
    for curve in comparison.curves:
        if curve.id == id:
            for point in curve.points:
                if point.valid_nats is not None and abs(point.epoch - epoch) < 1e-6:
                    return math.exp(min(point.valid_nats, 700.0))
    return None


def targets_table(reached: list[Reached]) -> Table:
    """The targets as a table."""
    rows = [
        (one.target.run or "-", one.target.described, one.target.asked, one.target.reported, one.value,
         difference(one), one.verdict)
        for one in reached
    ]  # fmt: skip
    return Table(
        name="targets",
        title="What must be reached",
        caption="Difference: ours against the reported figure.",
        columns=(
            Column("run", numeric=False), Column("figure", numeric=False), Column("asked for", numeric=False),
            Column("reported", ".4g"), Column("ours", ".4g"), Column("difference", "+.1%"),
            Column("verdict", numeric=False),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def difference(one: Reached) -> float | None:
    """Ours against the reported figure, as a share of it."""
    reported = one.target.reported
    return None if reported is None or one.value is None else one.value / reported - 1
