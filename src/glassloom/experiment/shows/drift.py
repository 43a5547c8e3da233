"""A prompt out of the text, and the model's continuation beside the text's own, at several moments of training."""

import dataclasses
from collections.abc import Sequence
from typing import Annotated, Literal

from glassloom.data.corpus import Corpus
from glassloom.exhibits import Exhibit, Prose
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import AtLeast, Count, Runs
from glassloom.experiment.shows.keeping import Measured, keep, title_of
from glassloom.generation import DecodingSettings, generate
from glassloom.models.contract import LanguageModel
from glassloom.runs import Checkpoint, Run
from glassloom.views.drift import Continuation, drift, drift_exhibits


def drift_over_training(
    experiment: Experiment,
    *,
    runs: Runs,
    epochs: Sequence[Annotated[float, AtLeast(0)]] = (),
    prompt: Count = 30,
    count: Count = 12,
    length: Count = 400,
    split: Literal["train", "valid", "test"] = "train",
    shown: Count = 4,
) -> list[Exhibit]:
    """Arg-max continuations of the first `prompt` characters of `count` sequences, evenly spread, beside the truth.

    For each of the epochs the checkpoint nearest to it, if there is one within a twentieth of it, and the newest. Adds
    the figure `wholly right ID`, a share, of the newest checkpoint.
    """

    def measure(there: dict[str, Run]) -> Measured:
        exhibits: list[Exhibit] = []
        figures: dict[str, float] = {}
        for id, run in there.items():
            pairs = openings(experiment.corpus(id), split, prompt, count, length)
            moments, absent = moments_of(run, epochs)
            found = {
                f"{title_of(id, run)}, {moment}": [
                    continued(run, model, start, truth) for start, truth in pairs
                ]
                for moment, checkpoint in moments.items()
                for model in [run.model(checkpoint)]
            }  # fmt: skip
            last = [drift(each.text, each.truth) for each in list(found.values())[-1]]
            figures[f"wholly right {id}"] = sum(each.drifts_at is None for each in last) / len(last)
            own = drift_exhibits(found, shown)
            exhibits += [dataclasses.replace(exhibit, name=f"{exhibit.name}-{id}") for exhibit in own]
            if absent:
                said = f"Of {id} no checkpoint was kept near epoch {', '.join(f'{epoch:g}' for epoch in absent)}."
                exhibits.append(Prose(name=f"absent-{id}", title="Not kept", paragraphs=(said,)))
        return exhibits, figures

    arguments = {"arguments": [list(epochs), prompt, count, length, split, shown], "counted": "right before the first"}
    return keep(experiment, "drift", runs, arguments, measure)


def openings(corpus: Corpus, split: str, prompt: int, count: int, length: int) -> list[tuple[str, str]]:
    """The first `prompt` characters of sequences (or places of a stream), evenly spread, and at most `length` more.

    Sequences that end with the prompt are left out.
    """
    part = corpus.split(split)
    if part.starts is None:
        spans = [(part.tokens * number // count, part.tokens) for number in range(count)]
    else:
        ends = [*part.starts[1:].tolist(), part.tokens]
        spans = [
            (start, end) for start, end in zip(part.starts.tolist(), ends, strict=True)
            if len(corpus.text(split, start, end)) > prompt
        ]  # fmt: skip
        spans = [spans[len(spans) * number // count] for number in range(min(count, len(spans)))]
    most = prompt + length
    texts = [corpus.text(split, start, min(end, start + 4 * most))[:most] for start, end in spans]
    return [(text[:prompt], text[prompt:]) for text in texts if len(text) > prompt]


def continued(run: Run, model: LanguageModel, prompt: str, truth: str) -> Continuation:
    """The model's arg-max continuation, as many tokens as the truth has."""
    length = max(1, len(run.tokenizer.encode(truth)))
    [sample] = generate(model, run.tokenizer, prompt, DecodingSettings(greedy=True, length=length))
    return Continuation(prompt, sample.text, truth)


def moments_of(run: Run, epochs: Sequence[float]) -> tuple[dict[str, Checkpoint], list[float]]:
    """The checkpoints nearest to these epochs and the newest, by name; and the epochs that none is near to."""
    there = run.checkpoints()[::-1]
    found, absent = [], []
    for epoch in epochs:
        best = min(there, key=lambda checkpoint: abs(checkpoint.epoch - epoch))
        if abs(best.epoch - epoch) <= max(0.5, epoch / 20):
            found.append(best)
        else:
            absent.append(epoch)
    ordered = sorted({checkpoint.step: checkpoint for checkpoint in [*found, run.newest()]}.items())
    return {f"epoch {checkpoint.epoch:.4g}": checkpoint for _, checkpoint in ordered}, absent
