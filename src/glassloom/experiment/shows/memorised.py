"""How much of what runs write stands in their training text: over training, and of many samples at the end."""

import dataclasses

from glassloom.exhibits import Column, Exhibit, Table, Text, Texts, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, Positive, Runs, Which
from glassloom.experiment.shows.keeping import Measured, checkpoint_of, keep, title_of
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Run
from glassloom.views.memorisation import memorisation, memorisation_exhibits
from glassloom.views.memorised import beside
from glassloom.views.memorised import memorised as meter
from glassloom.views.training_text import held_out, symbols_of


def memorised(
    experiment: Experiment,
    *,
    runs: Runs,
    count: Count = 20,
    length: Count = 200,
    temperature: Positive = 0.6,
    checkpoint: Which = "newest",
) -> list[Exhibit]:
    """The samples that each run wrote on its way, and `count` new ones of `length` tokens without a prompt.

    Adds the figures `longest copy ID` and `share copied ID`, of the new samples.
    """

    def measure(there: dict[str, Run]) -> Measured:
        exhibits: list[Exhibit] = []
        rows: list[tuple[Value, ...]] = []
        copies: list[Text] = []
        figures: dict[str, float] = {}
        by_text: dict[str, dict[str, Run]] = {}
        for id, run in there.items():
            corpus, title = experiment.corpus(id), title_of(id, run)
            by_text.setdefault(corpus.fingerprint, {})[id] = run
            decoding = DecodingSettings(length=length, count=count, temperature=temperature)
            samples = generate(run.model(checkpoint_of(run, checkpoint)), run.tokenizer, "", decoding)
            texts = [sample.text for sample in samples]
            real = held_out(corpus, [len(symbols_of(text, run.tokenizer)) for text in texts])
            ours = meter(texts, corpus)
            most = max(range(count), key=lambda number: ours.samples[number].longest_copy)
            copies.append(beside(title, texts[most], ours.samples[most], ours.unit))
            control: tuple[Value, ...] = (None, None)
            if real:
                theirs = meter(real, corpus)
                control = (theirs.longest_copy, theirs.share)
            rows.append((title, ours.unit, ours.at_least, ours.longest_copy, ours.share, *control, ours.by_chance))
            figures |= {f"longest copy {id}": float(ours.longest_copy), f"share copied {id}": ours.share}
        exhibits.append(
            Table(
                name="new-samples",
                title="How much of new samples stands in the training text",
                caption=f"{count} samples of {length} tokens at temperature {temperature:g}, without a prompt, from "
                f"the {checkpoint} checkpoint; beside them held-out text of the same lengths, which nobody copied (a "
                "dash: nothing was held out). By chance: what unrelated symbols of the same frequencies would share.",
                columns=(
                    Column("run", numeric=False), Column("in", numeric=False), Column("copied from", ","),
                    Column("longest copy", ","), Column("share copied", ".1%"),
                    Column("longest, held-out", ","), Column("share, held-out", ".1%"),
                    Column("longest, by chance", ".1f"),
                ),
                rows=tuple(rows),
            )
        )  # fmt: skip
        title = "The new sample of each run with the longest copy, what is copied marked"
        exhibits.append(Texts(name="most-copied", title=title, texts=tuple(copies)))
        for same in by_text.values():
            corpus = experiment.corpus(next(iter(same)))
            history = memorisation({title_of(id, run): run for id, run in same.items()}, corpus)
            of = ", ".join(same) if len(by_text) > 1 else ""
            exhibits += [
                dataclasses.replace(exhibit, name=f"{exhibit.name} {of}", title=exhibit.title + (of and f": {of}"))
                for exhibit in memorisation_exhibits(history)
            ]
        return exhibits, figures

    known_whole = [id for id, run in experiment.there(runs).items() if run.config.data.memorises]
    arguments = {"arguments": [count, length, temperature, checkpoint], "nothing held out": known_whole}
    return keep(experiment, "memorised", runs, arguments, measure)
