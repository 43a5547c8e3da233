"""The vanilla network on a novel: gradients checked, the smooth loss, what it writes, and recipes side by side."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from glassloom.exhibits import Axis, Column, Exhibit, Lines, Series, Table, Text, Texts, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, FromZero, Name, NameOf, RunName, Runs, reported
from glassloom.generation import DecodingSettings, generate
from glassloom.models.gradients import GradientRow, check_gradients
from glassloom.runs import Run
from glassloom.training import evaluate_split
from glassloom.views.progress import mean_of_last_pass, smoothed_loss

PARAMETERS = {
    "W": "layers.0.recurrent_weight", "U": "layers.0.input_weight", "V": "output.weight", "b": "layers.0.bias",
    "c": "output.bias",
}  # fmt: skip
"""The report's letters, and our names."""
Errors = Annotated[str, NameOf("experiment with relative errors in other.csv", reported("relative error"))]
SmoothLosses = Annotated[str, NameOf("experiment with smooth losses in other.csv", reported("smooth loss", "update"))]
Variant = Literal["tanh, one-hot", "tanh, two layers"]


class ReportedRecipe(TypedDict):
    """A recipe as it was published: its name, the updates, and the loss in nats a token."""

    recipe: str
    nats: float
    updates: NotRequired[int]


def reported_at(experiment: Experiment, of: str, quantity: str) -> dict[str, float]:
    """What an experiment (`of`, as in other.csv) reported of a quantity, by where it was measured."""
    rows = experiment.reported("other")
    return {row["at"]: float(row["value"]) for row in rows if (row["experiment"], row["quantity"]) == (of, quantity)}


def gradient_check(experiment: Experiment, *, name: Name, title: str, of: Errors, variant: Variant) -> list[Exhibit]:
    """Relative errors of analytic gradients: a variant of the rnn beside the reported ones, then every architecture."""
    kept = experiment.kept("gradient-check", lambda: check_gradients().as_dict()["rows"])
    rows = [GradientRow(**row) for row in kept]
    ours = {(row.parameter, row.length): row.relative_error for row in rows if row.variant == variant}
    lengths = sorted({row.length for row in rows})
    table: list[tuple[Value, ...]] = []
    for letter, parameter in PARAMETERS.items():
        told = reported_at(experiment, of, f"relative error {letter}")
        pairs = [(ours.get((parameter, length)), told.get(f"length {length}")) for length in lengths]
        table.append((letter, *(value for pair in pairs for value in pair)))
    experiment.figures["worst relative error of a gradient"] = max(row.relative_error for row in rows)
    worst: dict[tuple[str, str], dict[int, GradientRow]] = {}
    for row in rows:
        found = worst.setdefault((row.model, row.variant), {})
        if row.length not in found or row.relative_error > found[row.length].relative_error:
            found[row.length] = row
    return [
        Table(
            name=name, title=title,
            caption="|ga - gn| / max(1e-4 of the largest gradient norm, |ga| + |gn|) for each parameter; centred "
            "differences, h = 1e-4, float64, no clipping. Ours: a network of width 8.",
            columns=(
                Column("parameter", numeric=False),
                *(Column(f"{length} characters, {who}", ".1e") for length in lengths for who in ("ours", "reported")),
            ),
            rows=tuple(table),
        ),
        Table(
            name=f"{name}-all", title="The worst parameter of every architecture",
            caption="All of it: glassloom gradcheck.",
            columns=(
                Column("model", numeric=False), Column("variant", numeric=False),
                *(Column(f"{length} tokens", ".1e") for length in lengths),
            ),
            rows=tuple((*key, *(found[length].relative_error for length in lengths)) for key, found in worst.items()),
        ),
    ]  # fmt: skip


def smooth_loss(
    experiment: Experiment, *, name: Name, title: str, runs: Runs, of: SmoothLosses = "", marks: Mapping[str, float]
) -> list[Exhibit]:
    """The smoothed loss of a window, summed over its tokens as the report has it, with the reported points."""
    series = []
    for id, run in experiment.there(runs).items():
        found, window = smoothed_loss(run), run.config.train.sequence_length or 1
        series.append(Series(name=id, x=found.updates, y=tuple(window * nats for nats in found.nats)))
        experiment.figures[f"{id}: first smooth loss"] = window * found.nats[0]
        experiment.figures[f"{id}: lowest smooth loss"] = window * found.best[0]
    told = reported_at(experiment, of, "smooth loss")
    if told:
        points = sorted((int(at.removeprefix("update ")), value) for at, value in told.items())
        steps, values = zip(*points, strict=True)
        series.append(Series(name="reported, on another novel", x=steps, y=values, dashed=True))
    caption = "0.999 of the past and 0.001 of the newest loss, from the first loss on, at each logged update."
    axes = {"x": Axis("updates"), "y": Axis("smooth loss, nats a window")}
    return [Lines(name=name, title=title, caption=caption, series=tuple(series), marks=dict(marks), **axes)]


def synthesis(
    experiment: Experiment, *, name: Name, title: str, run: RunName, length: Count = 1000, seed: FromZero = 0
) -> list[Exhibit]:
    """What a run wrote on the way, and at the end more of it by its best checkpoint, at temperature 1."""
    there = experiment.runs.get(run)
    if there is None or not there.samples():  # training ended before the first
        return []
    corpus = experiment.corpus(run)

    def long() -> dict[str, Any]:
        best = there.best()
        prompt = there.samples()[-1]["prompt"]
        decoding = DecodingSettings(length=length, seed=seed)
        text = generate(there.model(best), corpus.tokenizer, prompt, decoding, skip_unknown=True)[0].text
        return {"step": best.step, "prompt": prompt, "text": text}

    best = experiment.kept(f"{name}-{run}", long, of=[there], asked=[length, seed])
    found = [(f"after {one['step']:,} updates", one) for one in there.samples()]
    found.append((f"the best, of update {best['step']:,}: {length:,} characters", best))
    texts = [Text(label=label, prompt=one["prompt"], text=one["text"]) for label, one in found]
    return [Texts(name=name, title=title, texts=tuple(texts))]


def recipes(
    experiment: Experiment, *, name: Name, title: str, runs: Runs, reported: Sequence[ReportedRecipe] = ()
) -> list[Exhibit]:
    """Recipes for one model: the mean training loss of the last pass, the lowest smooth loss, both held-out parts.

    `reported` are figures as they were published, of windows of 25 tokens: `recipe`, `updates`, `nats`.
    """
    rows: list[tuple[Value, ...]] = []
    for id, run in experiment.there(runs).items():
        window, last = run.config.train.sequence_length or 1, mean_of_last_pass(run)
        if last.whole:
            experiment.figures[f"{id}: mean of the last pass"] = last.nats
        experiment.figures[f"{id}: minutes for 100,000 updates"] = 1e5 * seconds_of_an_update(run) / 60
        held = experiment.kept(f"held-out-{id}", partial(held_out, experiment, id, run), of=[run])
        experiment.figures[f"{id}: held out"] = held["tenth"]
        low, text, mean = smoothed_loss(run).best[0], experiment.corpus(id).name, last.nats if last.whole else None
        rows.append((id, text, run.newest().step, mean, low, window * low, held["valid"], held["tenth"]))
    for row in reported:
        both = (row["nats"], 25 * row["nats"])
        rows.append((row["recipe"], "another novel", row.get("updates"), None, *both, None, None))
    return [
        Table(
            name=name, title=title,
            caption="The lowest smooth loss depends on the passage where it falls; the mean over the last pass does "
            "not: every update of the last pass, each with the weights of its moment. It is left out where a run made "
            "no whole pass. Held out: of the best checkpoint, each text as one stream from a zero state; the tenth is "
            "valid and test together. Reported figures are of other novels.",
            columns=(
                Column("recipe", numeric=False), Column("text", numeric=False), Column("updates", ","),
                Column("training loss, mean of the last pass", ".4f"), Column("lowest smooth loss", ".4f"),
                Column("the same, of 25 characters", ".2f"), Column("valid", ".4f"), Column("held-out tenth", ".4f"),
            ),
            rows=tuple(rows),
        )
    ]  # fmt: skip


def seconds_of_an_update(run: Run) -> float:
    """Seconds of training an update took, the pauses for evaluation left out."""
    newest = run.newest()
    return float(newest.progress()["seconds"]) / max(newest.step, 1)


def held_out(experiment: Experiment, id: str, run: Run) -> dict[str, float]:
    """The best checkpoint's loss on valid, and on valid and test together, in nats per token.

    Each is one stream from a zero state, as in training: begun elsewhere, AdaGrad's network can stay in a state from
    which it never comes back to the text, so rows that are warmed up say something else.
    """
    corpus, model, window = experiment.corpus(id), run.model(), run.config.train.sequence_length or 1
    found = {
        split: evaluate_split(model, corpus, split, protocol="streams", batch_size=1, sequence_length=window)
        for split in ("valid", "test")
    }
    tokens = sum(one.tokens for one in found.values())
    whole = sum(one.figures.nats_per_token * one.tokens for one in found.values()) / tokens
    return {"valid": found["valid"].figures.nats_per_token, "tenth": whole}
