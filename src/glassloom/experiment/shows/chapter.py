"""A chapter memorised: the training error over epochs with its exact floor, and the loss on other text beside it."""

import math
import statistics
from collections.abc import Sequence
from typing import Annotated, Any

from glassloom.data import DataSettings, load_corpus, load_text
from glassloom.data.corpus import Corpus
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Prose, Series, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, NameOf, Runs
from glassloom.experiment.shows.arguments import reported as experiments_with
from glassloom.runs import Run
from glassloom.views.memorising import Floor, floor, sequence_losses, sequences_of, unigram_nats

Measured = list[dict[str, Any]]
"""Of each checkpoint, oldest first: epoch, step, seconds, error, tokens' mean, accuracy, and how far each is right."""
Errors = Annotated[
    str, NameOf("experiment with training errors in other.csv", experiments_with("training error", "epoch "))
]


def history(experiment: Experiment, id: str) -> Measured:
    """The error of every checkpoint of a run on the text that it was trained on, measured once and kept."""
    run, corpus = experiment.runs[id], experiment.corpus(id)

    def measure() -> Measured:
        found = []
        for checkpoint in reversed(run.checkpoints()):
            losses = sequence_losses(run.model(checkpoint), corpus.train, run.tokenizer)
            drifts = [after for after in losses.drifts if after is not None]
            found.append(
                {
                    "epoch": checkpoint.epoch, "step": checkpoint.step,
                    "seconds": checkpoint.progress()["seconds"], "error": losses.mean_of_sequences,
                    "of_tokens": losses.mean_of_tokens, "accuracy": losses.accuracy,
                    "whole": len(losses.drifts) - len(drifts), "drifts": sorted(drifts),
                }
            )  # fmt: skip
        return found

    found: Measured = experiment.kept(f"memorising-{id}", measure, of=[run])
    return found


def floors(corpus: Corpus) -> tuple[Floor, Floor]:
    """The floor of a corpus: every sequence counted once, and as the error weighs it."""
    sequences = sequences_of(corpus.train, corpus.tokenizer)
    return floor(sequences), floor(sequences, "as the error")


def reported_errors(experiment: Experiment, named: str) -> dict[float, float]:
    """The reported training error by epoch."""
    rows = [row for row in experiment.reported("other") if row["experiment"] == named and "epoch " in row["at"]]
    return {float(row["at"].removeprefix("epoch ")): float(row["value"]) for row in rows}


def training_error(experiment: Experiment, *, runs: Runs, reported: Errors) -> list[Exhibit]:
    """The training error over epochs, ours and reported, with the exact floor; at its end, as a table."""
    there = experiment.there(runs)
    told = reported_errors(experiment, reported)
    if not there:
        return [Prose(name="training-error", title="Training error", paragraphs=(f"Not yet run: {', '.join(runs)}.",))]
    measured = {id: history(experiment, id) for id in there}
    bound, least = floors(experiment.corpus(next(iter(there))))
    lowest = bound.mean_of_sequences
    for id, found in measured.items():
        experiment.figures[f"{id} error"] = found[-1]["error"]
        experiment.figures[f"{id} excess"] = found[-1]["error"] - lowest
        experiment.figures[f"{id} minutes"] = found[-1]["seconds"] / 60
    series = [
        Series(name=id, x=tuple(one["epoch"] for one in found), y=tuple(one["error"] for one in found))
        for id, found in measured.items()
    ]
    series.append(Series(name="reported (LSTM)", x=tuple(told), y=tuple(told.values()), dashed=True))
    curve = Lines(
        name="training-error",
        title="Training error over epochs",
        caption="The mean over paragraphs of a paragraph's mean loss, its first character given, dropout off; on the "
        "very text that is trained on. The floor is exact: whoever knows every paragraph by heart must still find out "
        f"which one it is ({lowest:.4f}; {least.mean_of_sequences:.4f} for who tells them apart by this very "
        "weighting).",
        x=Axis("epochs"), y=Axis("training error, nats a character", log=True),
        series=tuple(series), marks={"floor": lowest},
    )  # fmt: skip
    return [curve, errors_at(measured, told), ends(experiment, measured, told, lowest)]


def errors_at(measured: dict[str, Measured], told: dict[float, float]) -> Table:
    """The reported epochs, and ours where a checkpoint is that old."""
    rows = []
    for epoch, value in told.items():
        ours = [next((one["error"] for one in found if abs(one["epoch"] - epoch) < 0.5), None)
                for found in measured.values()]  # fmt: skip
        rows.append((f"{epoch:g}", value, *ours))
    return Table(
        name="error-by-epoch",
        title="Training error at the reported epochs",
        caption="A dash: no checkpoint of that age. Epoch 0 is before the first update here; the report's is after it.",
        columns=(Column("epoch"), Column("reported", ".4f"), *(Column(id, ".4f") for id in measured)),
        rows=tuple(rows),
    )


def ends(experiment: Experiment, measured: dict[str, Measured], told: dict[float, float], lowest: float) -> Table:
    """What each run came to, and what it took."""
    last = told[max(told)]
    rows: list[tuple[Value, ...]] = [
        ("reported (LSTM)", max(told), None, None, None, last, last - lowest, None, None, None, None)
    ]
    for id, found in measured.items():
        one, row = found[-1], experiment.rows.get(id)
        rows.append(
            (
                id, one["epoch"], one["step"], one["seconds"] / 60, row.parameters if row else None, one["error"],
                one["error"] - lowest, one["of_tokens"], one["accuracy"], one["whole"],
                usually_right(one["drifts"]),
            )
        )  # fmt: skip
    return Table(
        name="memorised",
        title="How well the chapter is known in the end",
        caption=f"Excess: the error above the exact floor of {lowest:.4f}. Whole: paragraphs whose most probable "
        "continuation, 30 characters given, is right to the end; of the others, how many characters after these are "
        "right before the first wrong one.",
        columns=(
            Column("run", numeric=False), Column("epochs", ",.0f"), Column("updates", ","), Column("minutes", ".1f"),
            Column("parameters", ","), Column("error", ".4f"), Column("excess", ".4f"),
            Column("mean of characters", ".4f"), Column("likeliest is right", ".2%"), Column("whole", ","),
            Column("others: right before drifting off, median", ".1f"),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def usually_right(drifts: Sequence[int]) -> float | None:
    """The median of how many characters are right before the first wrong one, of what drifts off; None of nothing.

    >>> usually_right([0, 3, 4, 9]), usually_right([0])
    (3.5, 0)
    """
    return statistics.median(drifts) if drifts else None


def other_text(experiment: Experiment, *, runs: Runs, corpus: str, shortest: Count = 125) -> list[Exhibit]:
    """The loss on as many paragraphs of another text, so that nobody takes memorising for learning."""
    rows, costs = [], (0.0, 0.0)
    for id, run in experiment.there(runs).items():
        trained = experiment.corpus(id)
        count = trained.train.sequences or 0
        paragraphs = other_paragraphs(corpus, trained, run.config.data, count, shortest)

        def measure(run: Run = run, paragraphs: Corpus = paragraphs) -> list[float]:
            losses = sequence_losses(run.model(run.newest()), paragraphs.train, run.tokenizer)
            return [losses.mean_of_sequences, losses.accuracy]

        nats, accuracy = experiment.kept(f"other-text-{id}", measure, of=[run], asked=[corpus, count, shortest])
        own = history(experiment, id)[-1]
        experiment.figures[f"{id} held out"] = nats
        rows.append((id, own["error"], own["accuracy"], nats, accuracy))
        costs = math.log(trained.tokenizer.size), unigram_nats(paragraphs.train)
    if not rows:
        return []
    return [
        Table(
            name="other-text",
            title=f"The same models on {corpus}",
            caption=f"As many paragraphs of at least {shortest} characters, symbols that the models do not know left "
            f"out. A uniform guess costs {costs[0]:.3f} there, the frequencies of its own symbols {costs[1]:.3f}: what "
            "is known by heart is not learned.",
            columns=(
                Column("run", numeric=False), Column("error, trained on", ".4f"), Column("right, trained on", ".1%"),
                Column("error, other text", ".3f"), Column("right, other text", ".1%"),
            ),
            rows=tuple(rows),
        )
    ]  # fmt: skip


def other_paragraphs(name: str, trained: Corpus, settings: DataSettings, count: int, shortest: int) -> Corpus:
    """The first so many paragraphs of another corpus, in the symbols of the one that was trained on."""
    other = load_corpus(name, DataSettings(lowercase=settings.lowercase))
    end = "\n" if settings.marks == "text" else ""
    lines = (line for split in ("train", "valid", "test") for line in other.text(split).split("\n"))
    kept = [trained.tokenizer.drop_unknown(line) + end for line in lines if len(line) >= shortest][:count]
    own = DataSettings(sequences="lines", split="all", marks=settings.marks)
    return load_text(kept, own, name=f"{name}-paragraphs", tokenizer=trained.tokenizer)
