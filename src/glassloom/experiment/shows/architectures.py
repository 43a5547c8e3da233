"""Architectures on one text: our results beside the reported ones, as a table and as curves."""

from collections.abc import Mapping, Sequence

from glassloom.comparison.wording import listed
from glassloom.config import Config
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Series, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.history import History, curves, history_of, reported_history
from glassloom.experiment.shows.arguments import GroupName, Histories, PartName


def histories(experiment: Experiment, ids: Sequence[str] = ()) -> dict[str, History]:
    """Our runs' histories, those that have one."""
    found = {id: history_of(run) for id, run in experiment.there(ids).items()}
    return {id: history for id, history in found.items() if history.epochs}


def reported_table(experiment: Experiment, *, file: Histories, of: PartName) -> list[Exhibit]:
    """Every run of a part beside its reported figures, sorted by architecture, then optimizer; the best in bold."""
    reported, ours = experiment.reported(file), histories(experiment)
    chosen = next(one for one in experiment.recipe.part if one.name == of)
    settings = {run.id: Config.from_flat(experiment.recipe.given(chosen, run)).flat() for run in chosen.runs}
    rows: list[tuple[Value, ...]] = []
    best: dict[str, tuple[float, int]] = {}
    order = sorted(chosen.runs, key=lambda run: (settings[run.id]["model"], settings[run.id]["optimizer"], run.id))
    for number, run in enumerate(order):
        given, there = settings[run.id], reported_history(reported, run.id)
        told, mine, row = there and there.best, ours.get(run.id), experiment.rows.get(run.id)
        own = mine.best if mine else None
        first = mine.valid[mine.epochs.index(1.0)] if mine and 1.0 in mine.epochs else None
        rows.append(
            (
                number + 1, run.id, given["model"], given["optimizer"], given["lr"], given["batch_size"],
                given["width"], given["layers"], round(1 - given.get("dropout", 0.0), 2),
                there.valid[0] if there else None, first, share(first, there.valid[0] if there else None),
                told[0] if told else None, told[1] if told else None,
                own[0] if own else None, own[1] if own else None,
                share(own[0] if own else None, told[0] if told else None),
                row.valid_perplexity_fair if row else None,
                there.seconds[-1] if there else None, row.total_seconds if row else None,
                row.status if row else "not yet run",
            )
        )  # fmt: skip
        if told and (given["model"] not in best or told[0] < best[given["model"]][0]):
            best[given["model"]] = (told[0], number)
        if (own and f"our {given['model']}" not in best) or (own and own[0] < best[f"our {given['model']}"][0]):
            best[f"our {given['model']}"] = (own[0], number)
    return [
        Table(
            name=f"{of}-reported",
            title="Every setting beside its report",
            caption="Validation perplexity. Reported, and ours as reported: rows of the batch, whole windows, the tail "
            "of the text dropped. Fair: every token once, context carried, alike for all. Seconds are those of two "
            "different machines. In bold: the best of each architecture, reported or ours.",
            columns=(
                Column("no."), Column("id", numeric=False), Column("architecture", numeric=False),
                Column("optimizer", numeric=False), Column("lr", "g"), Column("batch"), Column("width"),
                Column("layers"), Column("keep", ".1f"), Column("epoch 1, reported", ",.2f"),
                Column("epoch 1, ours", ",.2f"), Column("difference", "+.1%"), Column("best, reported", ",.2f"),
                Column("at epoch", "g"), Column("best, ours", ",.2f"), Column("at epoch", ".3g"),
                Column("difference", "+.1%"), Column("ours, fair", ",.2f"), Column("seconds, reported", ",.0f"),
                Column("seconds, ours", ",.0f"), Column("ended", numeric=False),
            ),
            rows=tuple(rows),
            bold=tuple(sorted({number for _, number in best.values()})),
        )
    ]  # fmt: skip


def share(ours: float | None, reported: float | None) -> float | None:
    """How far ours is from the reported figure, as a share of it."""
    return None if ours is None or not reported else ours / reported - 1


def reported_curves(
    experiment: Experiment, *, file: Histories, of: PartName, groups: Sequence[GroupName]
) -> list[Exhibit]:
    """For each group of runs: train and valid over epochs and over wall-clock time, ours, then beside the report."""
    reported = experiment.reported(file)
    exhibits: list[Exhibit] = []
    for group in groups:
        ids = [run.id for one, run in experiment.recipe.runs() if run.group == group and one.name == of]
        ours = histories(experiment, ids) if any(id in experiment.runs for id in ids) else {}
        told = {id: found for id in ids if (found := reported_history(reported, id))}
        for over in ("epochs", "seconds"):
            if any(len(history.epochs) > 1 for history in ours.values()):
                exhibits.append(
                    curves(
                        ours, over, name=f"curves-{slug(group)}-{over}", splits=("valid", "train"),
                        title=f"Experiment {group}: learning over {'epochs' if over == 'epochs' else 'time'}",
                        caption="Ours. Validation perplexity solid; training perplexity dashed, the running mean of "
                        "an epoch with dropout on, so that it may lie above."
                        + (whole_times(ours, told) if over == "seconds" else ""),
                    )
                )  # fmt: skip
        for split in ("valid", "train"):
            if any(any(getattr(history, split)) for history in told.values()):
                exhibits.append(beside(group, ours, told, split))
    return exhibits


def whole_times(ours: Mapping[str, History], told: Mapping[str, History]) -> str:
    """The reported seconds of those runs that are ours too."""
    there = [f"{id} {told[id].seconds[-1]:,.0f} s" for id in ours if id in told]
    return f" Reported for the whole run, on another machine: {listed(there)}." if there else ""


ABOUT = {
    "valid": "Validation perplexity as reported: ours solid, reported dashed.",
    "train": "Training perplexity, the running mean of an epoch with dropout on: ours solid, reported dashed.",
}


def beside(group: str, ours: Mapping[str, History], told: Mapping[str, History], split: str = "valid") -> Lines:
    """A perplexity of a group over epochs: ours solid, reported dashed."""
    series = []
    for id, history in told.items():
        if id in ours:
            series.append(Series(name=f"{id} · ours", x=ours[id].epochs, y=getattr(ours[id], split)))
        if any(getattr(history, split)):
            series.append(Series(name=f"{id} · reported", x=history.epochs, y=getattr(history, split), dashed=True))
    absent = [id for id in told if id not in ours]
    in_training = split == "train"
    return Lines(
        name=f"beside-{slug(group)}" + ("-train" if in_training else ""),
        title=f"Experiment {group}: ours and reported" + (", in training" if in_training else ""),
        caption=ABOUT[split] + (f" Not yet run here: {', '.join(absent)}." if absent else ""),
        x=Axis("epochs"),
        y=Axis(f"{'training' if in_training else 'validation'} perplexity", log=True),
        series=tuple(series),
    )


def slug(name: str) -> str:
    """A group's name inside a file's name: 3.1 as 3-1."""
    return "".join(c if c.isalnum() else "-" for c in name.lower())
