"""What runs write when they always take the most probable token, the best and the worst of it, and whether it pays."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from glassloom.data.corpus import Corpus
from glassloom.exhibits import Exhibit, Prose, Text, Texts
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, RunName, Runs, Some, Which
from glassloom.experiment.shows.keeping import Measured, checkpoint_of, keep, title_of
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Run
from glassloom.views.quality import RULE, Choice, Written, chosen, correlations, five_gram, quality, quality_exhibits
from glassloom.views.training_text import unit_of


@dataclass(frozen=True)
class Drawn:
    """A sample with what it was given."""

    label: str
    prompt: str
    text: str
    written: Written


def first_words(corpus: Corpus, count: int) -> list[str]:
    """The first word (or character) of lines of held-out text, evenly spread, all different and none unknown.

    Where too few lines begin differently, words from within them are taken too.
    """
    starts = corpus.valid.starts
    if starts is None:
        lines = corpus.text("valid", 0, 200_000).split("\n")
    else:
        lines = [corpus.text("valid", start, end) for start, end in itertools.pairwise(starts[:1000].tolist())]
    words = [line.split() for line in lines if line.split()]

    def usable(found: Iterable[str]) -> list[str]:
        firsts = found if unit_of(corpus.tokenizer) == "words" else (word[0] for word in found)
        return [one for one in dict.fromkeys(firsts) if one != "<unk>" and not corpus.tokenizer.unknown(one)]

    known = usable(line[0] for line in words)
    if len(known) < count:
        known = usable([*known, *itertools.chain.from_iterable(words)])[:count] or [""]
    return [known[len(known) * number // count] for number in range(count)]


def draw(run: Run, corpus: Corpus, title: str, lengths: Sequence[int], count: int, checkpoint: Which) -> list[Drawn]:
    """`count` arg-max samples of each length, each from another first word."""
    model, tokenizer = run.model(checkpoint_of(run, checkpoint)), run.tokenizer
    found = []
    for length in lengths:
        for number, prompt in enumerate(first_words(corpus, count), start=1):
            [sample] = generate(model, tokenizer, prompt, DecodingSettings(greedy=True, length=length))
            written = Written(tuple(tokenizer.encode(prompt).tolist()), tuple(sample.ids), tuple(sample.nats))
            found.append(Drawn(f"{title}, {length} tokens, no. {number}", prompt, sample.text, written))
    return found


def samples(
    experiment: Experiment,
    *,
    runs: Runs,
    lengths: Annotated[Sequence[Count], Some()] = (35, 70),
    count: Count = 10,
    checkpoint: Which = "best",
) -> list[Exhibit]:
    """Arg-max samples of some runs on one text: the best, the worst and the interesting ones, then all of them."""

    def measure(there: dict[str, Run]) -> Measured:
        corpus = experiment.corpus(next(iter(there)))
        by_run = {id: draw(run, corpus, title_of(id, run), lengths, count, checkpoint) for id, run in there.items()}
        every = [each for drawn in by_run.values() for each in drawn]
        found = quality([each.written for each in every], five_gram(corpus), corpus.tokenizer.specials.get("<unk>"))
        exhibits: list[Exhibit] = [Prose(name="rule", title="How samples are chosen", paragraphs=(RULE,))]
        for kind, choices in chosen(found).items():
            texts = tuple(shown(every[choice.sample], choice) for choice in choices)
            exhibits.append(Texts(name=kind, title=f"The {len(texts)} {kind} samples", texts=texts))
        for id, drawn in by_run.items():
            texts = tuple(Text(label=each.label, prompt=each.prompt, text=each.text) for each in drawn)
            caption = "The most probable token at each step, after the first word of a line of held-out text."
            exhibits.append(
                Texts(
                    name=f"all-{id}",
                    title=f"All {len(texts)} samples of {title_of(id, there[id])}",
                    caption=caption,
                    texts=texts,
                    folded=True,
                )
            )
        return exhibits, {}

    return keep(experiment, "samples", runs, {"arguments": [list(lengths), count, checkpoint]}, measure)


def shown(drawn: Drawn, choice: Choice) -> Text:
    """A chosen sample, and why it was."""
    return Text(label=drawn.label, prompt=drawn.prompt, text=drawn.text, note=choice.why)


def sample_quality(
    experiment: Experiment,
    *,
    runs: Sequence[RunName] = (),
    length: Count = 70,
    count: Count = 10,
    checkpoint: Which = "best",
) -> list[Exhibit]:
    """Quality of arg-max samples beside validation perplexity, over runs on one text.

    If none is named: over all that share the first one's.

    Adds the figure `rank correlation FIGURE` for each figure of `glassloom.views.quality` that varies.
    """
    ids = list(runs)
    if not ids:
        prints = {id: experiment.corpus(id).fingerprint for id in experiment.runs}
        ids = [id for id in prints if prints[id] == next(iter(prints.values()))]
    perplexities = {
        id: perplexity
        for id, row in experiment.rows.items()
        if (perplexity := row.valid_perplexity_fair or row.valid_perplexity) is not None
    }

    def measure(there: dict[str, Run]) -> Measured:
        corpus = experiment.corpus(next(iter(there)))
        model, unknown = five_gram(corpus), corpus.tokenizer.specials.get("<unk>")
        figures, known = {}, {}
        for id, run in there.items():
            title = title_of(id, run)
            drawn = draw(run, corpus, title, [length], count, checkpoint)
            figures[title] = quality([each.written for each in drawn], model, unknown).figures
            if id in perplexities:
                known[title] = perplexities[id]
        found = {f"rank correlation {each.figure}": each.spearman for each in correlations(figures, known)}
        numbers = {name: value for name, value in found.items() if value is not None}
        return quality_exhibits(figures, known), numbers

    arguments = [length, count, checkpoint, {id: perplexities.get(id) for id in ids}]
    return keep(experiment, "sample-quality", ids, {"arguments": arguments}, measure)
