"""Runs on lists of strings as they learn: loss and gradient norm per epoch, samples after each, claims tested."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from glassloom.data.drawn import language_of
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Prose, Series, Table, Text, Texts, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, FromZero, PartName, RunName, Runs, RunsOrParts, Some
from glassloom.experiment.shows.language_floor import chosen, settings_in_words
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Checkpoint, Run


@dataclass(frozen=True)
class Epochs:
    """What a run measured, epoch by epoch: mean loss in nats a token, mean gradient norm before and after clipping."""

    epochs: tuple[float, ...]
    train: tuple[float | None, ...]
    valid: tuple[float, ...]
    before: tuple[float | None, ...]
    after: tuple[float | None, ...]


def epochs_of(run: Run) -> Epochs:
    """The run's evaluations, one an epoch where its settings say so, and the norms of the steps logged before each."""
    train: list[float | None] = []
    norms: list[tuple[float, float]] = []
    epochs, valid, before, after = [], [], [], []
    for record in run.metrics():
        if record["event"] == "train":
            norms.append((record["norm_before"], record["norm_after"]))
        elif record["event"] == "evaluation":
            epochs.append(record["epoch"])
            train.append(record["train_nats"])
            valid.append(record["valid_nats"])
            before.append(mean([norm for norm, _ in norms]))
            after.append(mean([norm for _, norm in norms]))
            norms = []
    return Epochs(tuple(epochs), tuple(train), tuple(valid), tuple(before), tuple(after))


def mean(values: Sequence[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


def training(experiment: Experiment, *, parts: Annotated[Sequence[PartName], Some()]) -> list[Exhibit]:
    """Training loss and gradient norm per epoch of the runs of each part, the norm before and after clipping."""
    return [exhibit for part in parts if chosen(experiment, [part]) for exhibit in learning(experiment, part)]


def learning(experiment: Experiment, of: str) -> list[Exhibit]:
    """The curves of one part."""
    found = {id: epochs_of(run) for id, run in chosen(experiment, [of]).items()}
    marks = {}
    for id in found:
        facts = experiment.runs[id].corpus
        if "entropy_nats_per_sequence" in facts:
            language = language_of(facts)
            marks["entropy of the source"] = language.entropy_nats / (language.mean_length + 1)
    return [
        Lines(
            name=f"loss-{of}",
            title=f"{of}: loss per epoch",
            caption="Nats a token, the end of a string being one too. Training solid: the mean of an epoch's batches, "
            "in which the model still learns; held-out dashed.",
            x=Axis("epochs"),
            y=Axis("nats a token", log=True),
            series=tuple(
                Series(name=f"{id} · {split}", x=one.epochs, y=getattr(one, split), dashed=split == "valid")
                for id, one in found.items()
                for split in ("train", "valid")
            ),
            marks=marks,
        ),
        Lines(
            name=f"gradient-{of}",
            title=f"{of}: gradient norm per epoch, before and after clipping",
            caption="Mean of the global norm over the steps that were logged in an epoch (all of them, or some 500 "
            "over the training). Solid: before clipping; dashed: after it, which is all that the report plotted, and "
            "which shows the bound and not the gradient.",
            x=Axis("epochs"),
            y=Axis("global norm of the gradient", log=True),
            series=tuple(
                Series(name=f"{id} · {name} clipping", x=one.epochs, y=getattr(one, name), dashed=name == "after")
                for id, one in found.items()
                for name in ("before", "after")
            ),
        ),
    ]


def samples(
    experiment: Experiment, *, runs: RunsOrParts, count: Count = 10, longest: Count = 200, last: FromZero = 0
) -> list[Exhibit]:
    """Samples after every epoch whose checkpoint was kept, at temperature 0 and 1; `last`: of the last so many only."""
    exhibits: list[Exhibit] = []
    for id, run in chosen(experiment, runs).items():
        there = [checkpoint for checkpoint in reversed(run.checkpoints()) if checkpoint.step > 0]
        texts = []
        for checkpoint in there[-last:]:
            name = f"samples-{id}-{checkpoint.step}-{count}-{longest}"
            texts += experiment.kept(name, partial(sampled, run, checkpoint, count, longest), of=[run])
        exhibits.append(
            Texts(
                name=f"samples-{id.lower().replace('.', '-')}",
                title=f"What {id} writes, epoch by epoch",
                caption=f"{count} samples after each epoch, one a line, to their end or {longest} tokens. At "
                "temperature 0 every one is the same.",
                texts=tuple(Text(**text) for text in texts),
                folded=len(texts) > 6,
            )
        )
    return exhibits


def sampled(run: Run, checkpoint: Checkpoint, count: int, longest: int) -> list[dict[str, str]]:
    """The samples of one checkpoint: at temperature 0, then at 1."""
    model = run.model(checkpoint)
    batches = checkpoint.progress()["batches"]
    epoch = batches["steps"] / batches["steps_per_epoch"]
    found = []
    for name, settings in (
        ("temperature 0", DecodingSettings(greedy=True, length=longest)),
        ("temperature 1", DecodingSettings(length=longest, count=count)),
    ):
        written = generate(model, run.tokenizer, "", settings)
        texts = [one.text + ("" if one.stopped == "end" else " …") for one in written]
        note = f"{count} times the same" if settings.greedy else ""
        if "language" in run.corpus and not settings.greedy:
            language = language_of(run.corpus)
            right = sum(one.stopped == "end" and language.contains(one.text) for one in written)
            note = f"{right} of {count} are in the language"
        found.append({"label": f"epoch {epoch:.3g}, {name}", "text": "\n".join(texts), "note": note})
    return found


def layers(experiment: Experiment, *, families: Sequence[Runs]) -> list[Exhibit]:
    """Do more layers overfit? Train and held-out loss of runs that differ in layers, and what follows from them."""
    rows: list[tuple[Value, ...]] = []
    sentences = []
    for family in families:
        own: list[tuple[Value, ...]] = []
        for id, run in experiment.there(family).items():
            train, valid = last_losses(run)
            own.append((id, run.config.flat()["layers"], train, valid, None if train is None else valid - train))
        sentences.append(f"{', '.join(family)}: {layers_sentence(own)}")
        rows += own
    table = Table(
        name="language-layers",
        title="Layers",
        caption="Nats a token in the last epoch. Overfitting would be: training loss falls with the layers, held-out "
        "loss rises.",
        columns=(
            Column("run", numeric=False), Column("layers"), Column("training", ".4f"), Column("held-out", ".4f"),
            Column("held-out less training", "+.4f"),
        ),
        rows=tuple(rows),
    )  # fmt: skip
    return [table, Prose(name="layers-answer", title="Do more layers overfit?", paragraphs=tuple(sentences))]


def last_losses(run: Run) -> tuple[float | None, float]:
    """Training and held-out nats a token at the last evaluation."""
    found = epochs_of(run)
    return (found.train[-1], found.valid[-1]) if found.valid else (None, math.nan)


def layers_sentence(rows: Sequence[Sequence[Any]]) -> str:
    """The answer, computed from the table's rows."""
    known = [row for row in rows if row[2] is not None]
    if len(known) < 2:
        return "not yet run."
    few, many = min(known, key=lambda row: row[1]), max(known, key=lambda row: row[1])
    head = (
        f"from {few[1]} to {many[1]} layers the training loss goes from {few[2]:.4f} to {many[2]:.4f} nats a token and "
        f"the held-out loss from {few[3]:.4f} to {many[3]:.4f}. "
    )
    if many[2] > few[2] + 0.002:
        return head + (
            "The training loss itself rises, so this is no overfitting, which lowers it: the deeper model is harder to "
            "train, and with these settings it has not fitted what the shallow one has."
        )
    if many[3] > few[3] + 0.002:
        return head + "Training falls and held-out rises: here more layers do overfit."
    return head + "Neither rises: more layers do not overfit here."


def clipping(experiment: Experiment, *, pairs: Sequence[tuple[RunName, RunName]]) -> list[Exhibit]:
    """Is clipping necessary? Pairs of runs that differ in it alone: with, without."""
    sentences = []
    for one, other in pairs:
        there = experiment.there([one, other])
        if len(there) < 2:
            sentences.append(f"{one} and {other}: not yet run.")
            continue
        with_it, without = (last_losses(there[id])[1] for id in (one, other))
        sentences.append(f"{one} and {other}: {clipping_sentence(there[one], there[other], with_it, without)}")
    return [Prose(name="clipping-answer", title="Is clipping necessary?", paragraphs=tuple(sentences))]


def clipping_sentence(clipped: Run, free: Run, with_it: float, without: float) -> str:
    """What clipping did to one setting, computed from what was logged."""
    bound = clipped.config.train.clip_norm or math.inf
    steps = [record for record in clipped.metrics() if record["event"] == "train"]
    over = sum(record["norm_before"] > bound for record in steps) / max(1, len(steps))
    largest = max((record["norm_before"] for record in free.metrics() if record["event"] == "train"), default=math.nan)
    head = (
        f"the norm passed {bound:g} in {over:.1%} of the logged steps; without clipping the largest was {largest:.3g}. "
        f"Held-out loss {with_it:.4f} nats a token with clipping, {without:.4f} without. "
    )
    if free.state() == "diverged" or not math.isfinite(without):
        return head + "Without it training was lost: here it is necessary."
    if without > with_it + 0.01:
        return head + "It helps here, though training goes on without it."
    return head + "It was not necessary here."


def repetition(experiment: Experiment, *, runs: RunsOrParts, words: Count = 200) -> list[Exhibit]:
    """Does dropout, or do layers, cure "The and the and"? How much each run's samples repeat themselves."""
    rows: list[tuple[Value, ...]] = []
    for id, run in chosen(experiment, runs).items():
        found = experiment.kept(f"repetition-{id}-{words}", partial(repeated, run, words), of=[run])
        rows.append((id, settings_in_words(run), last_losses(run)[1], *found["shares"], found["arg_max"]))
    table = Table(
        name="review-repetition",
        title="Repeating reviews",
        caption="Share of the pairs of words that stood earlier in the same sample already: of the most probable "
        "sample, and the mean of 20 samples at temperature 1; and how the most probable one begins.",
        columns=(
            Column("run", numeric=False), Column("settings", numeric=False), Column("held-out, nats a token", ".4f"),
            Column("repeated, temperature 0", ".0%"), Column("repeated, temperature 1", ".1%"),
            Column("most probable sample", numeric=False),
        ),
        rows=tuple(rows),
    )  # fmt: skip
    answer = repetition_sentence(rows)
    title = 'Would dropout or more layers cure "The and the and"?'
    return [table, Prose(name="repetition-answer", title=title, paragraphs=(answer,))]


def repeated(run: Run, words: int) -> dict[str, Any]:
    """Shares of repeated pairs of words of a run's samples, and the beginning of the most probable one."""
    model = run.model()
    [first] = generate(model, run.tokenizer, "", DecodingSettings(greedy=True, length=6 * words))
    others = generate(model, run.tokenizer, "", DecodingSettings(length=6 * words, count=20))
    shares = [repeated_pairs(one.text) for one in others]
    return {"shares": [repeated_pairs(first.text), sum(shares) / len(shares)], "arg_max": first.text[:100]}


def repeated_pairs(text: str) -> float:
    """The share of the pairs of neighbouring words that stood earlier in the text already.

    >>> repeated_pairs("the and the and the and")
    0.6
    """
    found = text.split()
    pairs = list(itertools.pairwise(found))
    return 1 - len(set(pairs)) / len(pairs) if pairs else 0.0


def repetition_sentence(rows: Sequence[Sequence[Any]]) -> str:
    """The answer, computed from the table's rows; the first row is the report's setting."""
    if len(rows) < 2:
        return "not yet run."
    base, parts = rows[0], []
    for row in rows[1:]:
        change = "less" if row[3] < base[3] - 0.05 else "more" if row[3] > base[3] + 0.05 else "as much"
        parts.append(f"{row[0]} repeats {row[3]:.0%} of its pairs of words ({change})")
    typical = sum(row[4] for row in rows) / len(rows)
    head = f"At temperature 0 {base[0]} repeats {base[3]:.0%} of its pairs of words; {'; '.join(parts)}. "
    if typical < base[3] / 2:
        return head + (
            f"At temperature 1 the same models repeat {typical:.1%}: what goes round in circles is the most probable "
            "text, not the model."
        )
    return f"{head}At temperature 1 they still repeat {typical:.1%}."
