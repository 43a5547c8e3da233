"""Runs on formal languages against the source itself: excess over the entropy, what they write, how far they carry."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import numpy as np

from glassloom.data.drawn import language_of
from glassloom.data.languages import Language
from glassloom.exhibits import Axis, Column, Exhibit, Lines, Prose, Series, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.sampling import strings_of
from glassloom.experiment.shows.arguments import AtLeast, Count, RunsOrParts
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Run
from glassloom.views.language import excess, excess_by_length
from glassloom.views.written_strings import length_histogram, most_probable, validity

SEED = 20_000
"""Of the strings that models are judged on; no training text is drawn with it."""
QUICKLY, QUICKLY_LONGEST, QUICKLY_TIMES = 1_000, 500, 3
"""In the short version, but for runs with a target in it: so many strings and samples, of at most so many tokens; and
strings at most so many times as long as the longest trained on."""

LEARNED = 0.05
"""With more nats a character too many at the trained lengths there is nothing that could carry over."""


def chosen(experiment: Experiment, names: Sequence[str]) -> dict[str, Run]:
    """The runs that exist among those named; a part's name stands for all of its runs."""
    parts = {part.name: [run.id for run in part.runs] for part in experiment.recipe.part}
    return experiment.there([id for name in names for id in parts.get(name, [name])])


def floor(
    experiment: Experiment, *, runs: RunsOrParts, strings: Count = 10_000, longest: Count = 2_000
) -> list[Exhibit]:
    """Each run's excess over the entropy, divergence and share of valid samples, and whether its loss is the floor.

    Adds the figures `ID excess` and `ID valid` for targets.
    """
    rows: list[tuple[Value, ...]] = []
    sentences = []
    for id, run in chosen(experiment, runs).items():
        found = measured(experiment, id, run, strings, longest)
        one, share = found["excess"], found["valid"] / found["samples"]
        experiment.figures[f"{id} excess"], experiment.figures[f"{id} valid"] = one["excess"]["mean"], share
        rows.append(
            (
                id, found["language"], settings_in_words(run), found["strings"], one["entropy_nats"],
                one["excess"]["mean"], one["excess"]["error"], one["excess"]["mean"] / one["entropy_nats"],
                one["divergence"]["mean"], one["divergence"]["error"], found["samples"], found["longest"],
                share, found["unfinished"],
            )
        )  # fmt: skip
        sentences.append(f"{id}: {floor_sentence(found)}")
    return [
        Table(
            name="language-floor",
            title="How far above the floor",
            caption="Excess: the mean of ln p_true - ln p_model over strings drawn anew from the true source, in nats "
            "a string; no model can be below 0 but by chance. Divergence: Kullback-Leibler, of the next token, over "
            "the prefixes of true strings. Errors are standard errors. Valid: of samples at temperature 1, run to "
            ".end or to as many tokens as the column says; unfinished ones count as not valid.",
            columns=(
                Column("run", numeric=False), Column("language", numeric=False), Column("settings", numeric=False),
                Column("true strings", ",d"), Column("entropy, nats a string", ".5f"), Column("excess", ".4f"),
                Column("±", ".4f"), Column("of the entropy", ".2%"), Column("divergence, nats a token", ".5f"),
                Column("±", ".5f"), Column("samples", ",d"), Column("of at most", ",d"),
                Column("valid", ".2%"), Column("unfinished", ",d"),
            ),
            rows=tuple(rows),
        ),
        Prose(
            name="language-floor-answer", title="Is a flat loss the floor, or a local minimum?",
            paragraphs=tuple(sentences) or ("Not yet run.",),
        ),
    ]  # fmt: skip


FEWEST_ERRORS = 2
"""An excess of fewer standard errors than these cannot be told from 0."""
NEAR = 0.01
"""An excess of less than this share of the entropy is near the floor."""


def floor_sentence(found: Mapping[str, Any]) -> str:
    """Whether what is left of the loss could still be learned, in words, computed.

    The floor itself is claimed only where the excess cannot be told from 0, however small a share of the entropy it is.
    """
    above, entropy = found["excess"]["excess"], found["excess"]["entropy_nats"]
    mean, error = above["mean"], above["error"]
    head = f"a loss of {entropy + mean:.3f} nats a string, of which {entropy:.3f} are the source's own chance"
    left = f"{mean:.4f} ± {error:.4f}"
    if mean < FEWEST_ERRORS * error:
        return (
            f"{head}; the {left} nats that are left cannot be told from 0. A flat loss here is the floor: no model has "
            "a lower one, so this is the global minimum and no local one."
        )
    errors = f"{mean / error:,.1f} standard errors" if error else "with no error of measurement"
    if mean < NEAR * entropy:
        share = f"{math.ceil(1e4 * mean / entropy) / 1e4:.2%}"  # rounded up: it is within that
        return (
            f"{head}; within {share} of the floor, but measurably above it ({left} nats, {errors}). That much could "
            "still be learned: a flat loss here is near the global minimum, and not at it."
        )
    return (
        f"{head}; {mean:.3f} ± {error:.3f} nats ({mean / entropy:.1%}) could still be learned. Flat or not, this loss "
        "is not the floor."
    )


def settings_in_words(run: Run) -> str:
    """What tells the runs of such an experiment apart."""
    flat = run.config.flat()
    wide = flat.get("width")
    parts = [f"{flat['model']} {flat['layers']} x {wide}", f"lr {flat['lr']:g}"]
    parts += [f"dropout {flat['dropout']:g}"] if flat.get("dropout") else []
    parts += [f"clip {flat['clip_norm']:g}"] if flat.get("clip_norm") else ["no clipping"]
    return ", ".join(parts)


def measured(experiment: Experiment, id: str, run: Run, strings: int, longest: int) -> dict[str, Any]:
    """Everything that is asked of one run, kept in the experiment."""
    wanted = {target.figure for target in experiment.recipe.targets() if target.quick}
    if experiment.quick and not wanted & {f"{id} excess", f"{id} valid"}:
        strings, longest = min(strings, QUICKLY), min(longest, QUICKLY_LONGEST)
    found: dict[str, Any] = experiment.kept(
        f"floor-{id}-{strings}-{longest}", partial(against_the_source, run, strings, longest), of=[run]
    )
    return found


def against_the_source(run: Run, strings: int, longest: int) -> dict[str, Any]:
    """Excess, divergence, validity and lengths of a run's best checkpoint, as plain data."""
    language = language_of(run.corpus)
    true = language.sample(strings, np.random.default_rng(SEED))
    samples = strings_of(run, strings, longest=longest)
    judged = validity(language, samples)
    return {
        "language": language.name,
        "strings": strings,
        "excess": asdict(excess(run.model(), run.tokenizer, language, true)),
        "samples": judged.count,
        "longest": longest,
        "valid": judged.valid,
        "unfinished": judged.unfinished,
        "by_length": [asdict(share) for share in judged.by_length],
        "wrong": judged.wrong,
        "lengths": asdict(length_histogram(language, samples)),
        "distance": length_histogram(language, samples).distance,
        "distance_of_true": length_histogram(language, true).distance,
    }


def validity_by_length(
    experiment: Experiment, *, runs: RunsOrParts, strings: Count = 10_000, longest: Count = 2_000
) -> list[Exhibit]:
    """Which samples are valid, by their length; the shortest wrong ones; and lengths against the exact ones."""
    rows: list[tuple[Value, ...]] = []
    wrong: list[str] = []
    exhibits: list[Exhibit] = []
    for id, run in chosen(experiment, runs).items():
        found = measured(experiment, id, run, strings, longest)
        for share in found["by_length"]:
            part = share["valid"] / share["count"]
            rows.append((id, f"{share['low']} to {share['high']}", share["count"], part))
        named = ", ".join(f'"{string if len(string) < 80 else string[:80] + "…"}"' for string in found["wrong"][:5])
        wrong.append(f"{id}: {named}." if named else f"{id}: none of {found['samples']:,} samples is wrong.")
        exhibits.append(lengths_exhibit(id, found))
    table = Table(
        name="language-validity",
        title="Valid samples by length",
        caption="Samples at temperature 1 that ended, in classes of length.",
        columns=(Column("run", numeric=False), Column("length", numeric=False), Column("samples", ",d"),
                 Column("valid", ".2%")),
        rows=tuple(rows),
    )  # fmt: skip
    return [
        table, Prose(name="language-wrong", title="What is wrong: the shortest ones", paragraphs=tuple(wrong)),
        *exhibits,
    ]  # fmt: skip


def lengths_exhibit(id: str, found: Mapping[str, Any]) -> Lines:
    """The lengths of a run's samples against the exact distribution."""
    edges, lengths = found["lengths"]["edges"], found["lengths"]
    x = tuple(float(edge) for edge in edges)
    return Lines(
        name=f"lengths-{id.lower().replace('.', '-')}",
        title=f"Lengths of what {id} writes",
        caption="Share of strings in classes of length (the place of a point is where its class begins; the last "
        f"class has all beyond). The two differ by {found['distance']:.2%} of all strings; as many strings of the true "
        f"source differ by {found['distance_of_true']:.2%}.",
        x=Axis("characters"),
        y=Axis("share of strings"),
        series=(
            Series(name="true source, exact", x=x, y=tuple(lengths["exact"]), dashed=True),
            Series(name=id, x=x, y=tuple(lengths["written"])),
        ),
    )


def beyond(
    experiment: Experiment, *, runs: RunsOrParts, count: Count = 20, times: Annotated[float, AtLeast(1)] = 10
) -> list[Exhibit]:
    """The excess on strings of given lengths, out to many times the longest that was trained on."""
    exhibits: list[Exhibit] = []
    by_language: dict[str, list[tuple[str, list[dict[str, Any]]]]] = {}
    longest: dict[str, int] = {}
    for id, run in chosen(experiment, runs).items():
        split = experiment.corpus(id).train
        language = language_of(run.corpus)
        assert split.starts is not None
        trained = longest[language.name] = int(np.diff(split.starts, append=split.tokens).max())
        times = min(times, QUICKLY_TIMES) if experiment.quick else times
        reach = [part for part in (0.1, 0.25, 0.5, 1, 2, 3, 5, 10) if part <= times]
        found = experiment.kept(f"beyond-{id}-{count}-{times}", partial(reached, run, trained, reach, count), of=[run])
        by_language.setdefault(language.name, []).append((id, found))
    for name, curves in by_language.items():
        exhibits.append(
            Lines(
                name=f"beyond-{name}",
                title=f"{name}: longer than any string of the training text",
                caption=f"Excess in nats a string over {count} strings of each length, drawn as the source draws "
                f"those of that length; 1 is the longest string trained on ({longest[name]:,} characters). The band is "
                "one standard error.",
                x=Axis("length, as a multiple of the longest trained", log=True),
                y=Axis("excess, nats a string"),
                series=tuple(
                    Series(
                        name=id, x=tuple(at["times"] for at in found),
                        y=tuple(at["excess"]["mean"] for at in found),
                        low=tuple(at["excess"]["mean"] - at["excess"]["error"] for at in found),
                        high=tuple(at["excess"]["mean"] + at["excess"]["error"] for at in found),
                    )
                    for id, found in curves
                ),
                marks={"floor": 0.0},
            )
        )  # fmt: skip
        exhibits.append(
            Prose(
                name=f"beyond-{name}-answer",
                title=f"{name}: does it carry beyond the lengths of training?",
                paragraphs=tuple(carried_sentence(id, found) for id, found in curves),
            )
        )
    return exhibits


def reached(run: Run, trained: int, times: Sequence[float], count: int) -> list[dict[str, Any]]:
    """The excess by length of a run, as plain data."""
    language = language_of(run.corpus)
    found = excess_by_length(run.model(), run.tokenizer, language, trained, times, count=count)
    return [asdict(at) for at in found]


def carried_sentence(id: str, found: Sequence[Mapping[str, Any]]) -> str:
    """A run's excess a character within the lengths of training, and far beyond them."""
    rates = {at["times"]: at["excess"]["mean"] / at["length"] for at in found}
    near = max((times for times in rates if times <= 1.2), default=None)
    far = max(rates, default=None)
    if near is None or far is None or far <= 1.2:
        return f"{id}: not measured."
    verdict = "it carries over" if rates[far] < max(2 * rates[near], 0.01) else "it does not carry over"
    if rates[near] > LEARNED:
        verdict = "it has not learned the lengths of training either"
    return (
        f"{id}: {rates[near]:.4f} nats a character too many at the longest trained length, {rates[far]:.4f} at "
        f"{far:.1f} times that: {verdict}."
    )


def arg_max(experiment: Experiment, *, runs: RunsOrParts, prompts: Sequence[str] = ("",)) -> list[Exhibit]:
    """What each run writes at temperature 0, and whether the true source would, at every place."""
    rows: list[tuple[Value, ...]] = []
    for id, run in chosen(experiment, runs).items():
        language = language_of(run.corpus)
        for prompt in prompts:
            if language.next_distribution(prompt) and not run.tokenizer.unknown(prompt):
                rows.append((id, *arg_max_row(run, language, prompt)))
    return [
        Table(
            name="language-arg-max",
            title="The most probable sample, and the true source's",
            caption="At temperature 0, at most 200 tokens. A most probable sample is no typical one: in ndfa to go on "
            "is more probable than to stop at every single place, so a correct model never stops; in brackets closing "
            "is more probable than opening, so a correct one goes on from (() to (()). Where several symbols are "
            "equally probable, each of them counts as right.",
            columns=(
                Column("run", numeric=False), Column("prompt", numeric=False), Column("writes", numeric=False),
                Column("then", numeric=False), Column("as the source would", numeric=False),
                Column("differs", numeric=False),
            ),
            rows=tuple(rows),
        )
    ]  # fmt: skip


def arg_max_row(run: Run, language: Language, prompt: str) -> tuple[Value, ...]:
    """One prompt: what is written, how it ends, and the judgement."""
    [sample] = generate(run.model(), run.tokenizer, prompt, DecodingSettings(greedy=True, length=200))
    ended = sample.stopped == "end"
    found = most_probable(language, sample.text, prompt=prompt, ended=ended)
    differs = None
    if found.differs_at is not None:
        wanted = " or ".join("the end" if symbol == ".end" else f"'{symbol}'" for symbol in found.expected)
        differs = f"after {found.differs_at} characters, where {wanted or 'nothing'} is most probable"
    shown = sample.text if len(sample.text) <= 60 else f"{sample.text[:60]}…"
    return prompt or "-", shown, "ends" if ended else "goes on", "yes" if found.agrees else "no", differs
