"""The questions that the report of experiment A asks, answered from figures: the reported ones, and ours where run."""

from collections.abc import Sequence
from functools import partial

import torch

from glassloom.comparison import Candidate, front
from glassloom.comparison.wording import listed
from glassloom.data.corpus import Corpus
from glassloom.exhibits import Exhibit, Prose
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.history import History, reported_history
from glassloom.experiment.shows.architectures import histories
from glassloom.experiment.shows.arguments import Histories, RunName, Transformer
from glassloom.experiment.shows.gradient_flow import gradients_in_words, memories
from glassloom.loss import token_nats
from glassloom.runs import Run

Known = dict[str, History]
GRADIENTS = ("3.1a", "3.1d", "3.2a", "3.4b")
"""The runs whose gradients are shown: an RNN with each optimizer, a GRU, a transformer."""
ROWS, STEPS, WINDOW = 16, 4, 35
"""The slice on which dropout's share is measured: so many rows, so many windows of so many tokens of the train text."""


def questions(experiment: Experiment, *, file: Histories, gradients: Sequence[RunName] = GRADIENTS) -> list[Exhibit]:
    """Each question with its answer; first from the reported figures, then from our own runs.

    `gradients` are the runs whose gradient through time answers the last one.
    """
    reported = told(experiment, file)
    every = histories(experiment)
    ours = {id: history for id, history in every.items() if experiment.is_full(id)}
    answers = [
        ("time-or-generalization", "Which setting for time, which for generalization?", time_or_generalization),
        ("learning-rate", "How do SGD and Adam react to the learning rate?", learning_rates),
        ("gru-as-expected", "Is the GRU as expected?", grus),
        ("transformer", "Is the transformer as expected?", transformers),
        ("depth", "Do more layers lower the perplexity?", depth),
    ]  # fmt: skip
    exhibits: list[Exhibit] = []
    for name, title, answer in answers:
        paragraphs = [f"As reported: {answer(reported)}"]
        if (mine := answer(ours)) and "cannot be told" not in mine:
            paragraphs.append(f"In our runs: {mine}")
        else:
            paragraphs.append("In our runs: not yet run at full length.")
        exhibits.append(Prose(name=f"answer-{name}", title=title, paragraphs=tuple(paragraphs)))
    meaning = Prose(
        name="answer-gradients", title="What do the norms of the gradient mean?",
        paragraphs=gradients_in_words(memories(experiment, gradients)),
    )  # fmt: skip
    return [*exhibits, dropout_gap(experiment, list(every)), meaning]


def told(experiment: Experiment, file: str) -> Known:
    """Every reported history by id."""
    rows = experiment.reported(file)
    ids = dict.fromkeys(row["id"] for row in rows)
    return {id: history for id in ids if (history := reported_history(rows, id))}


def best(known: Known, id: str) -> float | None:
    """The lowest validation perplexity of a run."""
    found = known[id].best if id in known else None
    return found[0] if found else None


def time_or_generalization(known: Known) -> str:
    """The front of time to the end and best validation perplexity."""
    points = [Candidate(id, one.seconds[-1], one.best[0]) for id, one in known.items() if one.best]
    if len(points) < 2:
        return "cannot be told."
    kept = front(points)
    lowest = min(points, key=lambda point: point.loss)
    named = [f"{point.name} ({point.seconds:,.0f} s, {point.loss:.2f})" for point in kept]
    return (
        f"{lowest.name} generalizes best ({lowest.loss:.2f}). For time there is no single answer but a front, the "
        f"settings that nothing beats on both: {listed(named)}."
        + (
            f" {kept[0].name} is {lowest.seconds / kept[0].seconds:.1f} times as fast as {lowest.name} and gives up "
            f"{kept[0].loss - lowest.loss:.2f}."
            if len(kept) > 1
            else ""
        )
    )


def learning_rates(known: Known) -> str:
    """A tenfold change for each optimizer: what it does to the perplexity, and to the time."""
    parts = []
    for low, high, optimizer in (("3.1a", "3.1c", "SGD"), ("3.1e", "3.1d", "Adam")):
        if low not in known or high not in known:
            continue
        one, other = best(known, low), best(known, high)
        first, second = known[low], known[high]
        if one is None or other is None:
            continue
        seconds = [history.seconds[-1] / history.epochs[-1] for history in (first, second)]
        parts.append(
            f"{optimizer}, ten times the learning rate ({low} to {high}): best perplexity {one:,.2f} to {other:,.2f}; "
            f"seconds an epoch {seconds[0]:,.1f} to {seconds[1]:,.1f}"
        )
    if not parts:
        return "cannot be told."
    return (
        "; ".join(parts) + ". The learning rate changes no operation, so it cannot change the time of an epoch with "
        "either optimizer: where the times differ, the machine was doing something else."
    )


def against(known: Known, group: str, other: str, name: str, rival: str) -> str:
    """The best of one group against the best of another."""
    mine = {id: value for id in known if id.startswith(group) and (value := best(known, id)) is not None}
    theirs = {id: value for id in known if id.startswith(other) and (value := best(known, id)) is not None}
    if not mine or not theirs:
        return "cannot be told."
    a, b = min(mine, key=lambda id: mine[id]), min(theirs, key=lambda id: theirs[id])
    share = mine[a] / theirs[b] - 1
    verdict = "better" if share < 0 else "worse"
    first = {id: known[id].valid[0] for id in (a, b)}
    after = [f"{id} {value:,.2f}" for id, value in first.items() if value is not None]
    return (
        f"the best {name} ({a}, {mine[a]:.2f}) is {abs(share):.1%} {verdict} than the best {rival} "
        f"({b}, {theirs[b]:.2f}); after its first evaluation: {listed(after)}."
    )


def grus(known: Known) -> str:
    """The best GRU against the best RNN."""
    return against(known, "3.2", "3.1", "GRU", "RNN")


def transformers(known: Known) -> str:
    """The best transformer against the best GRU."""
    return against(known, "3.4", "3.2", "transformer", "GRU")


def depth(known: Known) -> str:
    """Two settings that differ in layers (and width) only."""
    parts = []
    for fewer, more, what in (
        ("3.2a", "3.3c", "GRU, 2 to 4 layers"),
        ("3.4b", "3.4a", "transformer, 2 to 6 layers"),
    ):
        one, other = best(known, fewer), best(known, more)
        if one is not None and other is not None:
            parts.append(f"{what}: {one:.2f} to {other:.2f}, {'lower' if other < one else 'higher'}")
    return f"{'; '.join(parts)}." if parts else "cannot be told."


def more(experiment: Experiment, *, heads: Sequence[Transformer], corpora: Sequence[RunName]) -> list[Exhibit]:
    """Would more heads help, or a larger corpus? From the optional runs, where they were made."""
    known = {id: history for id, history in histories(experiment).items() if experiment.is_full(id)}
    by_heads = sorted(
        (experiment.runs[id].config.flat()["heads"], value) for id in heads if (value := best(known, id)) is not None
    )
    if len(by_heads) > 1:
        count, lowest = min(by_heads, key=lambda one: one[1])
        listing = listed([f"{value:.2f} with {number}" for number, value in by_heads])
        first = f"Heads, all else equal: {listing}. The best number here is {count} ({lowest:.2f})."
    else:
        first = f"Heads: not yet run; --only heads trains {listed(list(heads))}."
    found = {id: value for id in corpora if (value := best(known, id)) is not None}
    if found:
        named = listed([f"{id} {value:.2f}" for id, value in found.items()])
        ratios = ratio_of(found, known)
        second = "A larger corpus (WikiText-2, two million words, another vocabulary, so not to be compared with the "
        second += f"perplexities above): {named}. {ratios}"
    else:
        second = f"A larger corpus: not yet run; --only wikitext-2 trains {listed(list(corpora))}."
    title = "Would more heads or a larger corpus help?"
    return [Prose(name="answer-heads-and-corpus", title=title, paragraphs=(first, second))]


def ratio_of(found: dict[str, float], known: Known) -> str:
    """How the transformer stands against the GRU on the larger text, and on the smaller one."""
    pairs = (("wikitext-transformer", "wikitext-gru", found), ("3.4b", "3.2a", {id: best(known, id) for id in known}))
    ratios = [values[a] / values[b] for a, b, values in pairs if values.get(a) and values.get(b)]  # type: ignore[operator]
    if len(ratios) < 2:
        return ""
    verdict = "closes on" if ratios[0] < ratios[1] else "falls behind"
    return (
        f"The transformer's perplexity is {ratios[0]:.2f} times the GRU's there and {ratios[1]:.2f} times on Penn "
        f"Treebank: with more text it {verdict} the GRU."
    )


def dropout_gap(experiment: Experiment, ids: Sequence[str]) -> Prose:
    """Why train and valid curves differ: the same training text scored with dropout on, and off."""
    lines = []
    for id in ids:
        run, corpus = experiment.runs[id], experiment.corpus(id)
        if not run.config.flat().get("dropout"):
            continue
        measured = experiment.kept(f"dropout-{id}", partial(gap, run, corpus), of=[run])
        lines.append(
            f"{id}: {measured['on']:.2f} with dropout on, {measured['off']:.2f} with it off, on the same "
            f"{ROWS * STEPS * WINDOW:,} tokens of the train text."
        )
    return Prose(
        name="answer-train-and-valid",
        title="Why do the train and valid curves differ from setting to setting?",
        paragraphs=(
            "Two causes that the reported curves mix: dropout is on in the training figure and off in the validation "
            "figure, and the training figure is the mean over an epoch in which the model still improved. With the "
            "weights held fixed the first one can be measured:",
            *(lines or ["Not yet run."]),
        ),
    )


def gap(run: Run, corpus: Corpus) -> dict[str, float]:
    """Perplexity of the best checkpoint on a slice of the train text, dropout on and off."""
    ids = torch.from_numpy(corpus.train.ids[: ROWS * STEPS * WINDOW + 1].astype("int64"))
    inputs, targets = ids[:-1].view(ROWS, -1), ids[1:].view(ROWS, -1)
    found = {}
    for name, training in (("on", True), ("off", False)):
        model = run.model().train(training)
        model.generator = torch.Generator().manual_seed(0)
        state, nats = None, []
        with torch.no_grad():
            for start in range(0, STEPS * WINDOW, WINDOW):
                logits, after = model(inputs[:, start : start + WINDOW], state)
                state = after if model.context is None else None
                nats.append(token_nats(logits, targets[:, start : start + WINDOW]).mean())
        found[name] = float(torch.stack(nats).mean().exp())
    return found


def mistakes(experiment: Experiment, *, file: Histories) -> list[Exhibit]:
    """What the report says against its own figures."""
    known = told(experiment, file)
    times = sorted((one.seconds[-1], id) for id, one in known.items())
    reached = {id: value for id in known if (value := best(known, id)) is not None}
    beaten = [id for id in known if known[id].seconds[-1] < known["3.3a"].seconds[-1] and reached[id] < reached["3.3a"]]
    fastest = [f"{id} ({seconds:,.0f} s)" for seconds, id in times[:3]]
    transformers = [id for _, id in times[:2] if id.startswith("3.4")]
    sgd = [known[id].seconds[-1] for id in ("3.1a", "3.1c")]
    last, low = known["3.4d"].valid[-1] or 0.0, reached["3.4d"]
    return [
        Prose(
            name="mistakes",
            title="What the report got wrong, from its own figures",
            paragraphs=(
                f"It names 3.3a for wall-clock time. {listed(beaten)} is faster and better: {reached['3.3a']:.2f} in "
                f"{known['3.3a'].seconds[-1]:,.0f} s against {reached[beaten[0]]:.2f} in "
                f"{known[beaten[0]].seconds[-1]:,.0f} s.",
                f"It says that two transformers were the fastest runs. {len(transformers)} of the two fastest is one: "
                f"{listed(fastest)}.",
                f"It says that more layers lower the perplexity. Of the GRU, four layers reached {reached['3.3c']:.2f} "
                f"and two {reached['3.2a']:.2f}.",
                f"It says that Adam's time hardly depends on the learning rate, as if SGD's did: 3.1a and 3.1c do the "
                f"same arithmetic and took {sgd[0]:,.0f} s and {sgd[1]:,.0f} s, a difference of "
                f"{sgd[1] / sgd[0] - 1:.0%} that only the machine can have made.",
                "Its rows for batch 128 and batch 20 are not scored on the same tokens: whole windows of 35 in 128 "
                f"rows are {scored(128):,} of the 73,760 validation tokens, in 20 rows {scored(20):,}.",
                f"Its last transformer (3.4d) is reported by its lowest validation perplexity, {low:.2f}; at the end "
                f"of training it stood at {last:.2f}. One of its curves is labelled valid and is that of the training "
                "text.",
            ),
        )
    ]


def scored(rows: int, tokens: int = 73_760, window: int = 35) -> int:
    """Tokens that whole windows of contiguous rows cover.

    >>> scored(128), scored(20)
    (71680, 73500)
    """
    return ((tokens // rows) - 1) // window * window * rows
