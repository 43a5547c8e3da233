"""Losses of any runs: curves over training, tables of what was reached, reported figures beside."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from glassloom.comparison import Row
from glassloom.config import Config
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Series, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Name, NameOf, RunName, Runs, SettingName, families
from glassloom.runs import Run

OVER = {"step": "updates", "epoch": "epochs", "seconds": "wall-clock seconds of training"}
UNITS = {"nats": "nats per token", "bits": "bits per token", "perplexity": "perplexity"}


def losses(
    experiment: Experiment,
    *,
    name: Name,
    title: str,
    runs: Runs,
    over: Literal["step", "epoch", "seconds"] = "step",
    unit: Literal["nats", "bits", "perplexity"] = "nats",
    marks: Mapping[str, float] | None = None,
    caption: str = "",
) -> list[Exhibit]:
    """Training and held-out loss at the same updates over the whole history; `marks` are reported figures or floors."""
    series = []
    for id, run in experiment.there(runs).items():
        found = [record for record in run.metrics() if record["event"] == "evaluation"]
        x = tuple(float(record[over]) for record in found)
        if not x:
            continue
        scored = "the text trained on" if run.config.data.memorises else "held out"
        for label, key in ((scored, "valid_nats"), ("train", "train_nats")):
            y = tuple(in_unit(record[key], unit) for record in found)
            series.append(Series(name=f"{id} · {label}", x=x, y=y, dashed=label == "train"))
    if not series:
        return []
    about = "Held out solid; train dashed: the mean over the updates since the evaluation before, dropout on."
    if any(run.config.data.memorises for run in experiment.there(runs).values()):
        about += (
            " Of a run that holds nothing out the solid line is its training text's own, dropout off: memorisation."
        )
    return [
        Lines(
            name=name, title=title, caption=f"{caption} {about}".strip(), x=Axis(OVER[over]),
            y=Axis(UNITS[unit], log=unit == "perplexity"), series=tuple(series), marks=dict(marks or {}),
        )
    ]  # fmt: skip


def in_unit(nats: float | None, unit: str) -> float | None:
    """A loss in a unit; None where it is not finite."""
    if nats is None or not nats < 700:
        return None
    return {"nats": nats, "bits": nats / math.log(2), "perplexity": math.exp(nats)}[unit]


FIGURES = {
    "held-out nats": ("nats_per_token", ".4f"),
    "held-out perplexity": ("valid_perplexity_fair", ",.2f"),
    "bits per character": ("valid_bits_per_character", ".4f"),
    "bits per byte": ("valid_bits_per_byte", ".4f"),
    "parameters": ("parameters", ","),
    "updates": ("steps", ","),
    "seconds": ("total_seconds", ",.0f"),
    "tokens per second": ("tokens_per_second", ",.0f"),
}
Figure = Annotated[str, NameOf("figure", lambda recipe: list(FIGURES))]
Family = Annotated[str, NameOf("family of experiments in other.csv", families)]


def results_table(
    experiment: Experiment,
    *,
    name: Name,
    title: str,
    runs: Sequence[RunName] = (),
    settings: Sequence[SettingName] = (),
    figures: Sequence[Figure] = ("held-out nats", "bits per character", "parameters", "updates", "seconds"),
    train: bool = True,
    caption: str = "",
) -> list[Exhibit]:
    """Runs by row: the named settings, the last training loss, the named figures of the best checkpoint."""
    rows: list[tuple[Value, ...]] = []
    known = {
        run.id: experiment.recipe.given(part, run, quick=experiment.quick) for part, run in experiment.recipe.runs()
    }
    for id in runs or known:
        flat = Config.from_flat(known[id]).flat()
        row, run = experiment.rows.get(id), experiment.runs.get(id)
        values: list[Value] = [id, *(shown(flat.get(setting)) for setting in settings)]
        values += [last_training_loss(run) if run else None] if train else []
        values += [getattr(row, FIGURES[figure][0]) if row else None for figure in figures]
        rows.append((*values, ended(row, run)))
    columns = [
        Column("run", numeric=False),
        *(Column(setting.replace("_", " "), numeric=False) for setting in settings),
    ]
    columns += [Column("training loss at the end", ".4f")] if train else []
    columns += [Column(figure, FIGURES[figure][1]) for figure in figures]
    return [
        Table(
            name=name, title=title, caption=caption or "Held out: of the best checkpoint, every token once.",
            columns=(*columns, Column("ended", numeric=False)), rows=tuple(rows),
        )
    ]  # fmt: skip


def ended(row: Row | None, run: Run | None) -> str:
    """How a run ended, and whether its figures are those of its training text."""
    if row is None:
        return "not yet run"
    return f"{row.status}; scored on its training text" if run and run.config.data.memorises else row.status


def shown(value: Value) -> str:
    """A setting as it is written."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def last_training_loss(run: Run) -> float | None:
    """The mean training loss since the last evaluation but one, in nats per token."""
    found = [record["train_nats"] for record in run.metrics() if record["event"] == "evaluation"]
    return found[-1] if found else None


def beside_report(
    experiment: Experiment, *, name: Name, title: str, of: Family, runs: Runs, caption: str = ""
) -> list[Exhibit]:
    """The last training loss of runs beside the one that an experiment (`of`, as in other.csv) reported for each."""
    reported = {row["experiment"]: row for row in experiment.reported("other")}
    rows: list[tuple[Value, ...]] = []
    for id in runs:
        told = reported.get(f"{of} {id.split('-')[0]}")
        value, run, row = float(told["value"]) if told else None, experiment.runs.get(id), experiment.rows.get(id)
        ours = last_training_loss(run) if run else None
        held_out = None if run is None or run.config.data.memorises or row is None else row.nats_per_token
        rows.append(
            (
                id, told["quantity"] if told else "-", told["at"] if told else "-", value, row.steps if row else None,
                ours, None if value is None or ours is None else ours - value, held_out,
            )
        )  # fmt: skip
    return [
        Table(
            name=name, title=title, caption=f"{caption} Held out: a dash where all of the text was trained on.".strip(),
            columns=(
                Column("run", numeric=False), Column("reported", numeric=False), Column("at", numeric=False),
                Column("reported value", ".4f"), Column("our updates", ","), Column("our training loss", ".4f"),
                Column("difference", "+.4f"), Column("our held-out loss", ".4f"),
            ),
            rows=tuple(rows),
        )
    ]  # fmt: skip
