"""How good samples are, in numbers: unknown words, repetition, variety, and what a 5-gram thinks of them.

    unknown share         <unk> among the tokens
    repeated 4-grams      1 - distinct / all, within one sample: 0 never repeats, near 1 is a loop
    distinct n-grams      distinct / all over a whole set of samples, n from 1 to 4 (Li et al. 2016)
    5-gram perplexity     exp of the mean nats under the corpus's modified Kneser-Ney 5-gram, the prompt as context

A low 5-gram perplexity alone is no praise: a loop of frequent words has one too. So the four stand side by side.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.data.baselines import KneserNey
from glassloom.data.baselines.excerpt import open_task
from glassloom.data.corpus import Corpus
from glassloom.errors import InputError
from glassloom.exhibits import Column, Exhibit, Table
from glassloom.views.correlation import pearson, spearman

FIGURES = ("unknown share", "repeated 4-grams", "distinct 1-grams", "distinct 2-grams", "distinct 3-grams",
           "distinct 4-grams", "5-gram perplexity")  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What a model wrote: the tokens of its prompt, those it added, and its own nats for each of these."""

    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    nats: tuple[float, ...]


@dataclass(frozen=True)
class SampleQuality:
    """One sample's figures. `surer` is how many nats a token the model was surer of it than the 5-gram."""

    tokens: int
    unknown_share: float
    repeated_4grams: float
    five_gram_nats: float
    surer: float

    @property
    def five_gram_perplexity(self) -> float:
        return math.exp(self.five_gram_nats)


@dataclass(frozen=True)
class Quality:
    """A set of samples: each one's figures, and those of all together."""

    samples: tuple[SampleQuality, ...]
    distinct: tuple[float, float, float, float]

    @property
    def figures(self) -> dict[str, float]:
        """Every figure of FIGURES: means over tokens or samples, the perplexity of all tokens together."""
        tokens = sum(sample.tokens for sample in self.samples)
        unknown = sum(sample.unknown_share * sample.tokens for sample in self.samples) / tokens
        nats = sum(sample.five_gram_nats * sample.tokens for sample in self.samples) / tokens
        repeated = sum(sample.repeated_4grams for sample in self.samples) / len(self.samples)
        return dict(zip(FIGURES, (unknown, repeated, *self.distinct, math.exp(nats)), strict=True))


def five_gram(corpus: Corpus) -> KneserNey:
    """The 5-gram that the corpus's baseline is: counted on train, or the last 20 MB of it."""
    train = open_task(corpus.cache, "train").train
    return KneserNey.fit(train.ids, corpus.tokenizer.size, 5, train.starts)


def distinct(samples: Sequence[Sequence[int]], n: int) -> float:
    """Distinct n-grams / all n-grams of some samples; none crosses from one into the next. 1 where there are none.

    >>> distinct([[1, 2, 1, 2]], 2)
    0.6666666666666666
    """
    found = [tuple(ids[at : at + n]) for ids in samples for at in range(len(ids) - n + 1)]
    return len(set(found)) / len(found) if found else 1.0


def quality(samples: Sequence[Written], model: KneserNey, unknown: int | None) -> Quality:
    """The figures of some samples; `unknown` is the id of `<unk>`, where the tokenizer has one.

    Raises:
        InputError: there is no sample, or one without a token.
    """
    if not samples or not all(sample.ids for sample in samples):
        raise InputError("There is nothing written to judge", "samples of at least one token", "let the model go on")
    found = []
    for sample in samples:
        line = np.array([*sample.prompt, *sample.ids], dtype=np.int64)
        nats = model.nats(line)[len(sample.prompt) :]
        found.append(
            SampleQuality(
                tokens=len(sample.ids),
                unknown_share=sum(index == unknown for index in sample.ids) / len(sample.ids),
                repeated_4grams=1 - distinct([sample.ids], 4),
                five_gram_nats=float(nats.mean()),
                surer=float(nats.mean() - np.mean(sample.nats)),
            )
        )
    first, second, third, fourth = (distinct([sample.ids for sample in samples], n) for n in (1, 2, 3, 4))
    return Quality(tuple(found), (first, second, third, fourth))


RULE = (
    "Best and worst are the lowest and the highest perplexities under the corpus's Kneser-Ney 5-gram. Interesting, of "
    "the others: the one with the largest share of repeated 4-grams, then the one with the most <unk>, then the one "
    "that the model was surest of where the 5-gram was not (nats a token)."
)


@dataclass(frozen=True)
class Choice:
    """A sample's number, and why it was chosen."""

    sample: int
    why: str


def chosen(found: Quality, count: int = 3) -> dict[str, tuple[Choice, ...]]:
    """The samples to show, by RULE: `best`, `worst` and `interesting`; a sample is chosen once, ties by number."""
    samples = found.samples
    order = sorted(range(len(samples)), key=lambda number: samples[number].five_gram_nats)
    best = order[:count]
    worst = [number for number in order[::-1][:count] if number not in best]
    left = sorted(set(order) - set(best) - set(worst))
    picked: list[Choice] = []
    reasons = (
        ("the most repetitive", lambda each: each.repeated_4grams, "{:.0%} repeated 4-grams"),
        ("the most unknown", lambda each: each.unknown_share, "{:.0%} <unk>"),
        ("the surest against the 5-gram", lambda each: each.surer, "{:.2f} nats a token"),
    )
    for why, measure, shown in reasons:
        if left:
            number = max(left, key=lambda number: measure(samples[number]))
            left.remove(number)
            picked.append(Choice(number, f"{why}: {shown.format(measure(samples[number]))}"))

    def because(number: int) -> Choice:
        return Choice(number, f"perplexity {samples[number].five_gram_perplexity:,.0f} under the 5-gram")

    return {"best": tuple(map(because, best)), "worst": tuple(map(because, worst)), "interesting": tuple(picked)}


@dataclass(frozen=True)
class QualityCorrelation:
    """How a figure of the samples goes with the validation perplexity over runs; None where it does not vary."""

    figure: str
    spearman: float | None
    pearson: float | None


def correlations(
    figures: Mapping[str, Mapping[str, float]], perplexities: Mapping[str, float]
) -> list[QualityCorrelation]:
    """Over the runs that have both: rank correlation, and Pearson's with the logarithm of the perplexity."""
    runs = [run for run in figures if run in perplexities and math.isfinite(perplexities[run])]
    scores = [math.log(perplexities[run]) for run in runs]
    found = []
    for figure in FIGURES:
        values = [figures[run][figure] for run in runs]
        found.append(QualityCorrelation(figure, spearman(values, scores), pearson(values, scores)))
    return found


def quality_exhibits(figures: Mapping[str, Mapping[str, float]], perplexities: Mapping[str, float]) -> list[Exhibit]:
    """Each run's figures beside its validation perplexity, and how they go together."""
    shown = {figure: ".1f" if "perplexity" in figure else ".3f" for figure in FIGURES}
    columns = (Column("run", numeric=False), Column("valid perplexity", ".2f"),
               *(Column(figure, shown[figure]) for figure in FIGURES))  # fmt: skip
    rows = tuple((run, perplexities.get(run), *(each[figure] for figure in FIGURES)) for run, each in figures.items())
    count = sum(run in perplexities for run in figures)
    together = tuple((each.figure, each.spearman, each.pearson) for each in correlations(figures, perplexities))
    return [
        Table(name="sample-quality", title="Quality of the samples",
              caption="Share of <unk>; repeated 4-grams within a sample (mean); distinct n-grams over all samples; "
              "perplexity under the corpus's Kneser-Ney 5-gram.", columns=columns, rows=rows),
        Table(name="quality-correlation", title="Does a lower validation perplexity mean better samples?",
              caption=f"Correlation over {count} runs of each figure with the validation perplexity: of ranks "
              "(Spearman), and Pearson's with the perplexity's logarithm. With so few runs, only what is near 1 or -1 "
              "means anything.",
              columns=(Column("figure", numeric=False), Column("Spearman", ".2f"), Column("Pearson", ".2f")),
              rows=together),
    ]  # fmt: skip
