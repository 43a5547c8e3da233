"""The memorisation meter over a run's training: its samples, step by step, against its training text."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.data.corpus import Corpus
from glassloom.exhibits import Axis, Exhibit, Lines, Series, Texts
from glassloom.runs import Run
from glassloom.views.memorised import Memorised, beside, memorised
from glassloom.views.training_text import held_out, symbols_of


@dataclass(frozen=True)
class Memorisation:
    """A run's samples over training, against train: one a step; and held-out stretches as long as they are, if any."""

    steps: tuple[int, ...]
    texts: tuple[str, ...]
    prompts: tuple[str, ...]
    written: Memorised
    held_out: Memorised


def memorisation(
    runs: Mapping[str, Run], corpus: Corpus, *, at_least: int | None = None, most_tokens: int | None = None
) -> dict[str, Memorisation]:
    """The samples that each run wrote on its way, in one pass over the text; a run without samples is left out."""
    logged = {name: [each for each in run.samples() if each["text"]] for name, run in runs.items()}
    logged = {name: samples for name, samples in logged.items() if samples}
    if not logged:
        return {}
    texts = [sample["text"] for samples in logged.values() for sample in samples]
    lengths = [len(symbols_of(text, corpus.tokenizer)) for text in texts]
    control = held_out(corpus, lengths)
    found = memorised([*texts, *control], corpus, at_least=at_least, most_tokens=most_tokens)
    results, first = {}, 0
    for name, samples in logged.items():
        last = first + len(samples)
        results[name] = Memorisation(
            tuple(int(sample["step"]) for sample in samples),
            tuple(texts[first:last]),
            tuple(sample["prompt"] for sample in samples),
            part(found, first, last),
            part(found, len(texts), len(found.samples)),
        )
        first = last
    return results


def part(found: Memorised, first: int, last: int) -> Memorised:
    """The samples from `first` to before `last`."""
    return dataclasses.replace(found, samples=found.samples[first:last])


def memorisation_exhibits(found: Mapping[str, Memorisation]) -> list[Exhibit]:
    """The longest copy and the share copied over training, and each run's last sample with its copies marked."""
    if not found:
        return []
    some = next(iter(found.values())).written
    control = next(iter(found.values())).held_out
    choice = f"Stretches of at least {some.at_least} {some.unit} count as copied."
    real = control.samples
    longest = {"by chance": some.by_chance} if math.isfinite(some.by_chance) else {}
    share: dict[str, float] = {}
    if real:
        longest["held-out text"] = float(np.mean([sample.longest_copy for sample in real]))
        share["held-out text"] = control.share
    against = (
        f"beside what {len(real)} stretches of held-out text of the samples' lengths have in common with it (mean)"
        if real
        else "with no held-out text to compare with"
    )

    def series(values: Mapping[str, Sequence[float]]) -> tuple[Series, ...]:
        return tuple(Series(name=name, x=found[name].steps, y=tuple(each)) for name, each in values.items())

    texts = tuple(
        beside(name, each.texts[-1], each.written.samples[-1], some.unit, each.prompts[-1])
        for name, each in found.items()
    )
    return [
        Lines(name="longest-copy", title="Longest copy from the training text, over training",
              caption=f"The longest stretch of the sample at that step that stands word for word in {some.searched}, "
              f"{against}, and beside what unrelated symbols would share by chance.",
              x=Axis("step"), y=Axis(some.unit), marks=longest,
              series=series({name: [copy.longest_copy for copy in each.written.samples]
                             for name, each in found.items()})),
        Lines(name="share-copied", title="Share of the samples that stands in the training text",
              caption=f"{choice} Drawn {against}.", x=Axis("step"), y=Axis(f"share of {some.unit}"), marks=share,
              series=series({name: [copy.share for copy in each.written.samples] for name, each in found.items()})),
        Texts(name="copied", title="Last samples, what stands in the training text marked", caption=choice,
              texts=texts),
    ]  # fmt: skip
