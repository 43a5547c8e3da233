"""Runs of unlike models and the average of their probabilities, beside published figures of the same text.

What is chosen is chosen on the validation split; the test split is scored for that one alone, once.
"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal, NotRequired, TypedDict

from glassloom.exhibits import Column, Exhibit, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, Positive, RunName, Some
from glassloom.experiment.shows.keeping import Measured, keep
from glassloom.runs import Run
from glassloom.training import open_model, token_losses
from glassloom.training.evaluation import How
from glassloom.training.mixture import check_alike

FORMATS = {"perplexity": ",.2f", "nats": ".4f"}
EQUAL, CHOSEN = "the average, equal weights", "the average, weights of the validation split"


class Published(TypedDict):
    """A figure that somebody published: the model, and what it reached."""

    model: str
    valid: NotRequired[Positive]
    test: NotRequired[Positive]


def average_of_runs(
    experiment: Experiment,
    *,
    title: str,
    runs: Annotated[Sequence[RunName], Some()],
    weights: Literal["equal", "valid"] = "valid",
    windows: Count | None = None,
    unit: Literal["perplexity", "nats"] = "perplexity",
    test: bool = False,
    figure: str = "the best",
    published: Sequence[Published] = (),
    caption: str = "",
) -> list[Exhibit]:
    """Each run, and the averages of their probabilities, every token once with its context; or in windows of so many.

    With `test`, the one that is best on valid is scored on test, too, once all runs are there at full length. Adds the
    figures `FIGURE: valid UNIT` and `FIGURE: test UNIT` of the best one.
    """
    full = all(experiment.is_full(id) for id in runs) and not experiment.quick

    def measure(there: dict[str, Run]) -> Measured:
        check_alike(list(there.values()))
        models, precisions = zip(*(open_model(run) for run in there.values()), strict=True)
        how: How = {"protocol": "windows" if windows else "fair", "sequence_length": windows or 0}
        corpus, count = experiment.corpus(next(iter(there))), len(there)
        alone = {id: tuple(float(id == other) for other in there) for id in there}
        with token_losses(models, corpus, "valid", autocasts=precisions, **how) as losses:
            found = {(id, given): losses.together(given) for id, given in alone.items()}
            protocols = list(dict.fromkeys(one.protocol for one in losses.measured))
            if len(there) == len(runs) > 1:
                equal = (1 / count,) * count
                found[EQUAL, equal] = losses.together(equal)
                if weights == "valid":
                    best = losses.best_weights()
                    found[CHOSEN, best] = losses.together(best)
        chosen = min(found, key=lambda one: found[one].figures.nats_per_token)
        figures, tested = {}, None
        if len(there) == len(runs):
            figures[f"{figure}: valid {unit}"] = in_unit(found[chosen].figures.nats_per_token, unit)
        if test and full:
            with token_losses(models, corpus, "test", autocasts=precisions, **how) as losses:
                tested = in_unit(losses.together(chosen[1]).figures.nats_per_token, unit)
            figures[f"{figure}: test {unit}"] = tested
        rows: list[tuple[Value, ...]] = []
        for one, evaluation in found.items():
            shares = "-" if one[0] in alone else ", ".join(f"{weight:.3f}" for weight in one[1])
            valid = in_unit(evaluation.figures.nats_per_token, unit)
            rows.append((one[0], "ours", shares, valid, tested if one == chosen else None))
        bold = list(found).index(chosen)
        rows += [(one["model"], "published", "-", one.get("valid"), one.get("test")) for one in published]
        said = "Ours: the best checkpoint of each run"
        said += f"; {' and '.join(protocols)}. In bold: the best on the validation split, on which "
        said += "checkpoints, the weights where they are not equal and this choice were made, so that its figure there "
        said += "is a little too good."
        if test:
            said += " The test split was scored once, for that one alone." if tested else (
                " The test split is left alone until every run is there at full length."
            )  # fmt: skip
        return [table(title, unit, f"{caption} {said}".strip(), rows, bold)], figures

    asked = [title, weights, windows, unit, test and full, figure, list(published), caption]
    arguments = {"arguments": asked, "runs": list(runs)}
    return keep(experiment, "average", runs, arguments, measure)


def table(title: str, unit: str, caption: str, rows: Sequence[tuple[Value, ...]], bold: int) -> Table:
    """The rows as a table."""
    return Table(
        name="of-runs", title=title, caption=caption,
        columns=(
            Column("model", numeric=False), Column("whose", numeric=False), Column("weights", numeric=False),
            Column(f"valid, {unit}", FORMATS[unit]), Column(f"test, {unit}", FORMATS[unit]),
        ),
        rows=tuple(rows), bold=(bold,),
    )  # fmt: skip


def in_unit(nats: float, unit: str) -> float:
    """A loss as perplexity or in nats; the perplexity of a loss beyond every float is infinite."""
    return nats if unit == "nats" else math.exp(nats) if nats < 700 else math.inf
