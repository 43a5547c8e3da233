"""A chapter memorised: the training error over epochs with its floor, continuations that drift off, and other text."""

import math
from collections.abc import Sequence
from typing import Any

from glassloom.data import DataSettings, load_corpus, load_text
from glassloom.data.corpus import Corpus
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Prose, Series, Table, Text, Texts, Value
from glassloom.experiment.experiment import Experiment
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Checkpoint, Run
from glassloom.views.memorising import Floor, floor, sequence_losses, sequences_of, unigram_nats

Measured = list[dict[str, Any]]
"""Of each checkpoint, oldest first: epoch, step, seconds, error, tokens' mean, accuracy, and where it drifts off."""


def epoch_of(checkpoint: Checkpoint) -> float:
    """Passes over the text before a checkpoint."""
    batches = checkpoint.progress()["batches"]
    return float(batches["steps"] / batches["steps_per_epoch"])


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
                    "epoch": epoch_of(checkpoint), "step": checkpoint.step,
                    "seconds": checkpoint.progress()["seconds"], "error": losses.mean_of_sequences,
                    "of_tokens": losses.mean_of_tokens, "accuracy": losses.accuracy,
                    "whole": len(losses.drifts) - len(drifts), "drifts": drifts,
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


def training_error(experiment: Experiment, *, runs: Sequence[str], reported: str) -> list[Exhibit]:
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
        ("reported (LSTM)", max(told), None, None, None, last, last - lowest, None, None, None)
    ]
    for id, found in measured.items():
        one, row = found[-1], experiment.rows.get(id)
        rows.append(
            (
                id, one["epoch"], one["step"], one["seconds"] / 60, row.parameters if row else None, one["error"],
                one["error"] - lowest, one["of_tokens"], one["accuracy"], one["whole"],
            )
        )  # fmt: skip
    return Table(
        name="memorised",
        title="How well the chapter is known in the end",
        caption=f"Excess: the error above the exact floor of {lowest:.4f}. Whole: paragraphs whose most probable "
        "continuation, 30 characters given, is right to the end.",
        columns=(
            Column("run", numeric=False), Column("epochs", ",.0f"), Column("updates", ","), Column("minutes", ".1f"),
            Column("parameters", ","), Column("error", ".4f"), Column("excess", ".4f"),
            Column("mean of characters", ".4f"), Column("likeliest is right", ".2%"), Column("whole", ","),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def continuations(
    experiment: Experiment, *, runs: Sequence[str], epochs: Sequence[float], given: int = 30, length: int = 300
) -> list[Exhibit]:
    """The first paragraph's beginning, and how each run goes on after so many epochs, beside the truth; all drifts."""
    texts, rows = [], []
    for id, run in experiment.there(runs).items():
        corpus = experiment.corpus(id)
        paragraph = run.tokenizer.decode(sequences_of(corpus.train, corpus.tokenizer)[0])
        prompt, truth = paragraph[:given], paragraph[given : given + length]
        measured = {one["step"]: one for one in history(experiment, id)}
        for checkpoint in nearest_to(run, epochs):
            label = f"{id}, epoch {epoch_of(checkpoint):.0f}"
            text = written(experiment, run, checkpoint, prompt, len(truth))
            texts.append(beside(label, prompt, text, truth))
            one = measured[checkpoint.step]
            drifts = sorted(one["drifts"])
            middle = drifts[len(drifts) // 2] + 1 if drifts else None
            rows.append((label, one["whole"], middle, drifts[0] + 1 if drifts else None))
    if not texts:
        return []
    name = "-".join(experiment.there(runs))
    return [
        Texts(
            name=f"continuations-{name}", title="Thirty characters given, and what follows", texts=tuple(texts),
            caption="The most probable continuation of the first paragraph's beginning, beside the text's own; marked "
            "from where it drifts off.",
        ),
        Table(
            name=f"drift-{name}", title="Where all paragraphs drift off",
            caption=f"Every paragraph, its first {given} characters given: how many are continued rightly to their "
            "end; of the others, the character (after those given) at which the continuation drifts off.",
            columns=(
                Column("run", numeric=False), Column("right to the end", ","), Column("drifts off at, median", ","),
                Column("at the earliest", ","),
            ),
            rows=tuple(rows),
        ),
    ]  # fmt: skip


def nearest_to(run: Run, epochs: Sequence[float]) -> list[Checkpoint]:
    """For each of the epochs the run's checkpoint nearest to it, none twice, and the last one."""
    kept = list(reversed(run.checkpoints()))
    places = sorted({min(kept, key=lambda one: abs(epoch_of(one) - epoch)).step for epoch in epochs} | {kept[-1].step})
    return [one for one in kept if one.step in places]


def written(experiment: Experiment, run: Run, checkpoint: Checkpoint, prompt: str, length: int) -> str:
    """The most probable continuation, kept."""

    def write() -> str:
        settings = DecodingSettings(length=length, greedy=True)
        return generate(run.model(checkpoint), run.tokenizer, prompt, settings)[0].text

    text: str = experiment.kept(f"continued-{run.name}-{checkpoint.step}", write, of=[run])
    return text


def beside(label: str, prompt: str, text: str, truth: str) -> Text:
    """A continuation beside the truth, marked from where it drifts off."""
    agreeing = next((at for at, (one, other) in enumerate(zip(text, truth, strict=False)) if one != other), len(truth))
    if agreeing == len(truth):
        return Text(label=label, prompt=prompt, text=text, truth=truth, note=f"right for all {agreeing:,} characters")
    note = f"drifts off at character {agreeing + 1:,}"
    return Text(label=label, prompt=prompt, text=text, truth=truth, note=note, marked=((agreeing, len(text)),))


def other_text(experiment: Experiment, *, runs: Sequence[str], corpus: str, shortest: int = 125) -> list[Exhibit]:
    """The loss on as many paragraphs of another text, so that nobody takes memorising for learning."""
    rows, costs = [], (0.0, 0.0)
    for id, run in experiment.there(runs).items():
        trained = experiment.corpus(id)
        count = trained.train.sequences or 0
        paragraphs = other_paragraphs(corpus, trained, run.config.data, count, shortest)

        def measure(run: Run = run, paragraphs: Corpus = paragraphs) -> list[float]:
            losses = sequence_losses(run.model(run.newest()), paragraphs.train, run.tokenizer)
            return [losses.mean_of_sequences, losses.accuracy]

        nats, accuracy = experiment.kept(f"other-text-{id}", measure, of=[run])
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
                Column("run", numeric=False), Column("error, trained on", ".4f"), Column("right", ".1%"),
                Column("error, other text", ".3f"), Column("right", ".1%"),
            ),
            rows=tuple(rows),
        )
    ]  # fmt: skip


def other_paragraphs(name: str, trained: Corpus, settings: DataSettings, count: int, shortest: int) -> Corpus:
    """The first so many paragraphs of another corpus, in the symbols of the one that was trained on."""
    other = load_corpus(name, DataSettings(lowercase=settings.lowercase))
    end = "\n" if settings.marks == "none" else ""
    lines = (line for split in ("train", "valid", "test") for line in other.text(split).split("\n"))
    kept = [trained.tokenizer.drop_unknown(line) + end for line in lines if len(line) >= shortest][:count]
    own = DataSettings(sequences="lines", split="all", marks=settings.marks)
    return load_text(kept, own, name=f"{name}-paragraphs", tokenizer=trained.tokenizer)
