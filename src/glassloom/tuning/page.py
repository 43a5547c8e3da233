"""The page of a search: what was found, best so far over time, importance, parallel coordinates, every trial."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from glassloom.exhibits import (
    Axis,
    Bar,
    Bars,
    Column,
    Exhibit,
    Lines,
    Parallel,
    Prose,
    Scale,
    Series,
    Strand,
    Table,
    Text,
    Texts,
    Value,
)
from glassloom.report import Page, Section, write_page
from glassloom.training.machine import environment
from glassloom.tuning.results import UNIT_WORDS, Search, Trial, best_so_far
from glassloom.tuning.space import parse_space, written

SHOWN_STRANDS = 300
"""More trials than this are drawn without those that were stopped first."""
DONE, STOPPED, BEST = "finished", "stopped early", "the best fifth"
TOLD = ("date", "command")
"""Of the environment: what the page says anyway."""


def write_search(found: Search, folder: Path, command: str) -> Path:
    """Write `report.html` with its figures and tables into the search's folder; the page's path.

    Raises:
        StorageError: the folder cannot be written.
    """
    return write_page(page_of(found, command), folder)


def page_of(found: Search, command: str) -> Page:
    """The page as data."""
    facts = {
        "Text": found.corpus, "Model": found.model, "Trials": tally(found), "Time": in_minutes(found.seconds),
        "Each trial": found.budget, "Space": "; ".join(found.space),
        "Fixed": ", ".join(f"{name} {written(value)}" for name, value in found.fixed.items()) or "nothing",
    }  # fmt: skip
    sections = [
        Section(title="What was found", name="found", exhibits=(answer(found), *again(found))),
        Section(title="Best so far", name="best", exhibits=tuple(over_time(found))),
        Section(title="What matters", name="matters", exhibits=(importance(found), *parallel(found))),
        Section(title="Every trial", name="trials", exhibits=(table(found),)),
    ]
    return Page(
        title=f"Search: {found.model} on {found.corpus}",
        about=f"Settings tried by Optuna's TPE, hopeless trials stopped by Hyperband. {found.budget} A trial is judged "
        "by held-out validation text; the test split was not read.",
        facts=facts,
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        sections=tuple(sections),
        environment={name: value for name, value in environment(command).items() if name not in TOLD},
        downloads={"search.json": json.dumps(found.as_dict(), ensure_ascii=False, indent=1, default=str)},
    )


def tally(found: Search) -> str:
    """`50: 17 finished, 31 stopped early, 2 diverged`."""
    kinds = {"finished": "finished", "stopped": "stopped early"}
    counts = {
        kinds.get(state, state): sum(one.state == state for one in found.trials)
        for state in ("finished", "stopped", "interrupted", "diverged", "failed", "unfit")
    }
    told = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)
    return f"{len(found.trials):,}: {told}" if told else "none"


def in_minutes(seconds: float) -> str:
    """Seconds, or minutes where there are many."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def answer(found: Search) -> Prose:
    """The best settings, and what they gained over the defaults."""
    best = found.best
    if best is None or best.loss is None:
        text = "No trial came to its end." + (" The same command goes on." if found.status == "interrupted" else "")
        return Prose(name="answer", title="", paragraphs=(text,))
    unit = UNIT_WORDS[found.unit]
    sentences = [
        f"The best of {len(found.trials):,} trials is {best.name}: {best.loss:.4f} {unit} on the held-out text, with "
        f"{in_words(best)}."
    ]
    usual = first_of(found)
    if usual is not None and usual.loss is not None and usual is not best:
        sentences.append(
            f"The architecture's own defaults ({usual.name}) reached {usual.loss:.4f} in the same time: the search "
            f"gained {usual.loss - best.loss:.4f}."
        )
    elif usual is best:
        sentences.append("That is what the architecture takes by itself: no other trial was better.")
    sentences.append(
        "The best of many is a little lucky: the same settings with other seeds will lie somewhat higher. Settings "
        "found in so short a time suit such a time; a longer training often wants a lower rate and a larger model."
    )
    return Prose(name="answer", title="", paragraphs=tuple(sentences))


def again(found: Search) -> list[Exhibit]:
    """The command that trains the best settings for a trial's whole budget."""
    if not found.command:
        return []
    return [
        Texts(name="again", title="The best again, at full length", texts=(Text(label="command", text=found.command),))
    ]


def first_of(found: Search) -> Trial | None:
    """The trial that had the defaults."""
    return next((one for one in found.trials if one.number == 0), None)


def in_words(one: Trial) -> str:
    """A trial's settings: `lr 0.004, width 256`."""
    return ", ".join(f"{name} {written(value)}" for name, value in one.settings.items())


def over_time(found: Search) -> list[Exhibit]:
    """The lowest loss so far over the search's own clock, as steps."""
    steps = best_so_far(found.trials)
    unit = UNIT_WORDS[found.unit]
    if not steps:
        return [Prose(name="over-time", title="Best so far over time", paragraphs=("No trial has finished yet.",))]
    xs, ys = [], []
    for place, (moment, loss) in enumerate(steps):
        if place:
            xs.append(moment / 60)
            ys.append(steps[place - 1][1])
        xs.append(moment / 60)
        ys.append(loss)
    xs.append(max(found.seconds, steps[-1][0]) / 60)
    ys.append(steps[-1][1])
    usual = first_of(found)
    marks = {} if usual is None or usual.loss is None else {"the defaults": usual.loss}
    return [
        Lines(
            name="over-time", title="Best so far over time", x=Axis("minutes of the search"), y=Axis(unit),
            series=(Series(name="best so far", x=tuple(xs), y=tuple(ys)),), marks=marks,
            caption="The lowest loss on the whole held-out text among the trials finished until then. Time in which no "
            "trial ran does not count.",
        )
    ]  # fmt: skip


def importance(found: Search) -> Exhibit:
    """PED-ANOVA's shares as bars; a sentence where there are too few trials."""
    title = "What sets the best trials apart"
    if not found.importance:
        few = "Too few trials have ended to say which settings matter; some ten are needed, five of them finished."
        return Prose(name="importance", title=title, paragraphs=(few,))
    bars = tuple(Bar(label=name, value=round(share, 4)) for name, share in found.importance.items())
    return Bars(
        name="importance", title=title, value=Axis("share of the importance"), bars=bars,
        caption="PED-ANOVA (Watanabe et al. 2023): how differently each setting is spread among the best trials and "
        "among all. It speaks of this space alone: a setting whose whole range is good has no importance.",
    )  # fmt: skip


def parallel(found: Search) -> list[Exhibit]:
    """Every trial as a line over the settings, with its loss on the last scale."""
    ranked = [one for one in found.ranked() if one.judged or one.loss is not None]
    if len(ranked) < 2:
        return []
    finished = [one for one in ranked if one.loss is not None]
    fifth = {one.number for one in finished[: max(1, len(ranked) // 5)]}
    dimensions = [parse_space(text, found.model) for text in found.space]
    scales = [
        Scale(title=one.name, log=one.log, choices=tuple(written(value) for value in one.choices)) for one in dimensions
    ]
    strands = []
    for one in ranked[:SHOWN_STRANDS]:
        group = BEST if one.number in fifth else DONE if one.loss is not None else STOPPED
        values: list[str | float | None] = []
        for dimension in dimensions:
            value = one.settings.get(dimension.name)
            values.append(written(value) if dimension.choices else value)
        strands.append(Strand(label=one.name, values=(*values, last_loss(one)), group=group))
    left_out = f" Of {len(ranked):,} trials the best {SHOWN_STRANDS} are drawn." if len(ranked) > SHOWN_STRANDS else ""
    return [
        Parallel(
            name="parallel", title="Every trial over every setting",
            scales=(*scales, Scale(title=f"loss, {UNIT_WORDS[found.unit]}")), strands=tuple(strands),
            caption="Each line is a trial. Of trials that were stopped the loss is that of their last evaluation, on "
            f"the first tokens of the held-out text.{left_out}",
        )
    ]  # fmt: skip


def last_loss(one: Trial) -> float | None:
    """A trial's loss at its end, or when it was last judged."""
    return one.loss if one.loss is not None else one.judged[-1][1] if one.judged else None


def table(found: Search) -> Table:
    """All trials, the best first."""
    names = [parse_space(text, found.model).name for text in found.space]
    columns = (
        Column("trial", numeric=False), Column("loss", ".4f"), Column("judged", ",d"), Column("state", numeric=False),
        Column("seconds", ",.1f"), *(Column(name, numeric=True) for name in names),
    )  # fmt: skip
    ranked = found.ranked()
    rows = tuple(row_of(one, names) for one in ranked)
    return Table(
        name="trials", title="Trials", columns=columns, rows=rows,
        bold=(0,) if ranked and ranked[0].state == "finished" else (),
        caption=f"The best first. The loss is in {UNIT_WORDS[found.unit]}; of a trial that did not finish, at its last "
        f"evaluation of {found.evaluations}. Each is a run folder in {found.name}.",
    )  # fmt: skip


def row_of(one: Trial, names: list[str]) -> tuple[Value, ...]:
    """A trial as a row of the table."""

    def cell(value: Any) -> Value:
        return value if isinstance(value, (str, int, float, bool)) else written(value)

    judged = one.judged[-1][0] if one.judged else 0
    state = one.state if one.state in ("finished", "stopped") else f"{one.state}: {one.reason}"
    return (one.name, last_loss(one), judged, state, one.seconds, *(cell(one.settings.get(name)) for name in names))
