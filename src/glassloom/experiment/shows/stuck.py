"""Why a transformer stuck: the same runs with a softmax before the loss and without, over learning rates."""

import math
from collections.abc import Sequence
from typing import Any

from glassloom.errors import InputError
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Prose, Series, Table, Text, Texts
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, PartOfTransformers
from glassloom.models.transformer import TransformerSettings
from glassloom.views.doubled_softmax import Guess, guesses, sure_loss
from glassloom.views.memorising import sequence_losses, sequences_of, unigram_nats

Measured = dict[str, dict[str, Any]]
"""By run: loss (nats), share right, whether broken, with biases, learning rate; all by the mean over paragraphs."""
REPORTED = (3.5, 3.6)
"""Where the report's transformer stuck, at every learning rate."""
ON_ITS_TEXT = {"exception": 3.634, "bigram": 3.548}
"""What the same two rules cost a doubled softmax on the report's own text, which is not ours."""


def measured(experiment: Experiment, runs: Sequence[str], paragraphs: int) -> Measured:
    """What the last checkpoint of each run does on the first so many paragraphs of its own training text."""
    found: Measured = {}
    for id, run in experiment.there(runs).items():
        settings = run.config.model
        if not isinstance(settings, TransformerSettings):
            raise InputError(f"Run {id} is no transformer", "transformers alone", "train it anew with --replace")

        def measure(id: str = id) -> list[float]:
            run, corpus = experiment.runs[id], experiment.corpus(id)
            model = run.model(run.newest())
            losses = sequence_losses(model, corpus.train, run.tokenizer, first=paragraphs)
            return [losses.mean_of_sequences, losses.accuracy_of_sequences, float(run.newest().step)]

        loss, right, updates = experiment.kept(f"stuck-{id}", measure, of=[run], asked=paragraphs)
        found[id] = {
            "loss": loss, "right": right, "updates": int(updates), "lr": run.config.train.lr,
            "broken": settings.output == "probabilities", "bias": settings.attention_bias,
        }  # fmt: skip
    return found


def sweep(experiment: Experiment, *, of: PartOfTransformers, paragraphs: Count = 196) -> list[Exhibit]:
    """The sweep as a table and as a curve over learning rates, and in words why the broken ones stay where they are."""
    chosen = next(one for one in experiment.recipe.part if one.name == of)
    ids = [run.id for run in chosen.runs]
    found = measured(experiment, ids, 24 if experiment.quick else paragraphs)
    if not found:
        return [Prose(name="stuck", title="Why it stuck", paragraphs=(f"Not yet run: {', '.join(ids)}.",))]
    corpus = experiment.corpus(next(iter(found)))
    rules = guesses([corpus.tokenizer.decode(row) for row in sequences_of(corpus.train, corpus.tokenizer)])
    size = corpus.tokenizer.size
    said = samples(experiment, found)
    return [table(found, size), curve(found, rules, size), said, answer(found, rules, size, unigram_nats(corpus.train))]


def table(found: Measured, vocabulary: int) -> Table:
    """Each run's loss beside what a doubled softmax must cost at its accuracy."""
    rows = []
    for id, one in found.items():
        foretold = sure_loss(one["right"], vocabulary) if one["broken"] else None
        rows.append(
            (
                id, one["lr"], "yes" if one["bias"] else "no", "broken" if one["broken"] else "mended",
                one["updates"], one["loss"], one["right"], foretold,
                None if foretold is None else one["loss"] - foretold,
            )
        )  # fmt: skip
    return Table(
        name="stuck-sweep",
        title="Broken and mended, at the report's learning rates",
        caption="Broken: a softmax before the loss, which has its own. Loss and share of right guesses after so many "
        "updates, means over paragraphs. Foretold: ln(e + K - 1) less the share that is right, what a broken model "
        "costs once it is sure of one symbol each time; one that is not sure yet costs more.",
        columns=(
            Column("run", numeric=False), Column("learning rate", "g"), Column("biases", numeric=False),
            Column("loss", numeric=False), Column("updates", ","), Column("nats a character", ".3f"),
            Column("right", ".1%"), Column("foretold", ".3f"), Column("beyond it", "+.3f"),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def curve(found: Measured, rules: Sequence[Guess], vocabulary: int) -> Lines:
    """The loss over learning rates, with what simple guesses cost a doubled softmax."""
    series = []
    for broken, bias in ((True, True), (True, False), (False, True), (False, False)):
        alike = [one for one in found.values() if (one["broken"], one["bias"]) == (broken, bias)]
        own = sorted((one["lr"], one["loss"]) for one in alike)
        if own:
            name = f"{'broken' if broken else 'mended'}, {'with' if bias else 'without'} biases"
            lrs, losses = zip(*own, strict=True)
            series.append(Series(name=name, x=lrs, y=losses, dashed=not bias))
    marks = {f"doubled softmax: {rule.rule}": sure_loss(rule.of_sequences, vocabulary) for rule in rules[1:]}
    marks["doubled softmax: always right"] = sure_loss(1.0, vocabulary)
    return Lines(
        name="stuck-learning-rates",
        title="No learning rate helps a doubled softmax",
        caption=f"The loss after training, over the learning rate. The report's transformer stayed at {REPORTED[0]} to "
        f"{REPORTED[1]} at each of them.",
        x=Axis("learning rate", log=True),
        y=Axis("nats a character"),
        series=tuple(series),
        marks={**marks, "uniform": math.log(vocabulary)},
    )


def samples(experiment: Experiment, found: Measured) -> Texts:
    """What each run wrote at its end."""
    texts = []
    for id in found:
        for last in experiment.runs[id].samples()[-1:]:
            texts.append(Text(label=id, prompt=last["prompt"], text=last["text"]))
    return Texts(
        name="stuck-samples",
        title="What they write",
        caption="The last sample of each run, as its settings ask for it: at temperature 0 the likeliest character "
        "each time.",
        texts=tuple(texts),
    )


def answer(found: Measured, rules: Sequence[Guess], vocabulary: int, frequencies: float) -> Prose:
    """Why it stuck, from the figures."""
    uniform, best = math.log(vocabulary), sure_loss(1.0, vocabulary)
    _, excepted, bigram = rules
    paragraphs = [
        f"The report's transformer stayed at {REPORTED[0]} to {REPORTED[1]} nats and wrote 't t t t t'. A uniform "
        f"guess costs {uniform:.3f}, and the mere frequencies of the characters {frequencies:.3f}: a model that is "
        "worse than these does not fail to attend, it is not paid for what it knows. A softmax before a cross-entropy, "
        "which has one of its own, does just that: whatever the weights, the loss cannot fall below "
        f"ln(e + {vocabulary} - 1) - 1 = "
        f"{best:.3f}. Saying {excepted.rule} costs {sure_loss(excepted.of_sequences, vocabulary):.3f}, and is the text "
        f"that the report printed; after each symbol what follows it most often costs "
        f"{sure_loss(bigram.of_sequences, vocabulary):.3f}. "
        + where_reported(sure_loss(bigram.of_sequences, vocabulary), sure_loss(excepted.of_sequences, vocabulary)),
    ]
    broken = {id: one for id, one in found.items() if one["broken"]}
    mended = {id: one for id, one in found.items() if not one["broken"]}
    if broken and mended:
        worst = max(broken.values(), key=lambda one: one["loss"])["loss"]
        least = min(broken, key=lambda id: broken[id]["loss"])
        good = min(mended, key=lambda id: mended[id]["loss"])
        paragraphs.append(
            f"In our sweep the broken transformer ends between {broken[least]['loss']:.3f} and {worst:.3f} at every "
            f"learning rate; the mended one, the same but for that softmax, reaches {mended[good]['loss']:.3f} "
            f"({good}). " + biases(found)
        )
    return Prose(name="why-it-stuck", title="Why it stuck", paragraphs=tuple(paragraphs))


def where_reported(low: float, high: float) -> str:
    """How the reported losses lie to what two rules cost on our text, and that the report's text was another one.

    >>> where_reported(3.4, 3.7).split(",")[0]
    'The reported losses lie between these'
    """
    low, high = min(low, high), max(low, high)
    least, most = REPORTED
    if low <= least and most <= high:
        said = "lie between these"
    elif most < low or high < least:
        said = f"lie {'below' if most < low else 'above'} both"
    else:
        begin = f"{low - least:.3f} below the lower of these" if least < low else "between the two"
        end = f"{most - high:.3f} above the higher" if most > high else "between the two"
        said = f"reach from {begin} to {end}"
    return (
        f"The reported losses {said}, as far as another text can say: on the report's own one these two rules cost "
        f"{ON_ITS_TEXT['exception']:.3f} and {ON_ITS_TEXT['bigram']:.3f}."
    )


def biases(found: Measured) -> str:
    """What the biases of queries, keys, values and output change, at most, at one learning rate."""
    changes = []
    for one in found.values():
        for other in found.values():
            alike = (one["lr"], one["broken"]) == (other["lr"], other["broken"])
            if alike and one["bias"] and not other["bias"]:
                changes.append((abs(one["loss"] - other["loss"]), one["lr"], one["broken"]))
    if not changes:
        return ""
    change, lr, is_broken = max(changes)
    return (
        f"Biases on queries, keys, values and output change the loss by at most {change:.3f} at the same learning rate "
        f"({'broken' if is_broken else 'mended'}, {lr:g})."
    )
