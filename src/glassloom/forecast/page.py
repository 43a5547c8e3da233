"""The page of a plan, as exhibits: what to train, the curves, every size that was weighed, the probes."""

import json
from datetime import datetime
from pathlib import Path

from glassloom.exhibits import Axis, Column, Lines, Prose, Series, Table, Text, Texts
from glassloom.forecast.law import law
from glassloom.forecast.results import Plan
from glassloom.report import Page, Section, write_page
from glassloom.training.machine import environment
from glassloom.units import bits

TOLD = ("date", "command")
"""Of the environment: what the page says anyway."""


def write_plan(found: Plan, folder: Path | str, command: str) -> Path:
    """Write `report.html` with its figures and tables into a folder; the page's path.

    Raises:
        StorageError: the folder cannot be written.
    """
    return write_page(page_of(found, command), folder)


def page_of(found: Plan, command: str) -> Page:
    """The page as data."""
    facts = {
        "Text": f"{found.corpus} ({found.unit})", "Time": f"{found.minutes:g} min",
        "Probes": f"{len(found.probes)} in {found.probe_seconds:.1f} s",
    }  # fmt: skip
    again = Text(label="command", text=found.command)
    sections = (
        Section(title="What to train", name="advice", exhibits=(
            Prose(name="answer", title="", paragraphs=(sentence(found), *found.notes)),
            Texts(name="again", title="To train it", texts=(again,)),
        )),
        Section(title="The loss over time", name="curves", exhibits=(curves(found),)),
        Section(title="What was weighed", name="weighed", exhibits=(sizes(found), probes(found))),
        Section(title="How it is foretold", name="how", exhibits=(how(found),)),
    )  # fmt: skip
    return Page(
        title=f"Plan: {found.minutes:g} minutes on {found.corpus}",
        about="Short trainings on this machine and this text, a law of loss against size and tokens, and what it says.",
        facts=facts,
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=command,
        sections=sections,
        environment={name: value for name, value in environment(command).items() if name not in TOLD},
        downloads={"plan.json": json.dumps(found.as_dict(), ensure_ascii=False, indent=1)},
    )


def sentence(found: Plan) -> str:
    """The recommendation in one sentence, the next best architecture in another."""
    best = found.best
    told = (
        f"In {found.minutes:g} min a {best.model} of {best.layers} x {best.width} is expected to reach "
        f"{best.nats:.3f} nats a token ({bits(best.nats):.3f} bits), between {best.low:.3f} and {best.high:.3f} in "
        f"{found.inside:.0%} of trainings."
    )
    others = found.of_each()[1:]
    if not others:
        return told
    second = others[0]
    close = "within each other's interval" if second.nats <= best.high else "above that interval"
    return f"{told} Next is a {second.model} of {second.layers} x {second.width} with {second.nats:.3f}, {close}."


def curves(found: Plan) -> Lines:
    """Each architecture's foretold loss over time, the recommended one with its interval, and its probes."""
    series = []
    for one in found.curves:
        own = one.model == found.best.model
        series.append(Series(name=one.model, x=one.minutes, y=one.nats, low=one.low if own else (),
                             high=one.high if own else ()))  # fmt: skip
    return Lines(
        name="foretold", title="Foretold loss, by architecture", x=Axis("minutes of training", log=True),
        y=Axis("nats per token"), series=tuple(series),
        caption=f"At each moment the best size of the architecture, trained for just so long. The band is the interval "
        f"of {found.best.model}.",
    )  # fmt: skip


def sizes(found: Plan) -> Table:
    """Every architecture and size, the best first."""
    columns = (
        Column("model", numeric=False), Column("width", ",d"), Column("layers", ",d"), Column("parameters", ",d"),
        Column("tokens/s", ",.0f"), Column("passes", ",.2f"), Column("loss", ".3f"), Column("low", ".3f"),
        Column("high", ".3f"),
    )  # fmt: skip
    rows = tuple(
        (
            one.model,
            one.width,
            one.layers,
            one.parameters,
            one.tokens_per_second,
            one.passes,
            one.nats,
            one.low,
            one.high,
        )
        for one in found.forecasts
    )
    return Table(
        name="sizes", title="Architectures and sizes", columns=columns, rows=rows, bold=(0,),
        caption=f"Nats per token after {found.minutes:g} min; parameters without those of the vocabulary; passes over "
        "the training text.",
    )  # fmt: skip


def probes(found: Plan) -> Table:
    """What was measured."""
    columns = (
        Column("model", numeric=False), Column("width", ",d"), Column("tokens", ",d"), Column("seconds", ".2f"),
        Column("tokens/s", ",.0f"), Column("loss", ".3f"),
    )  # fmt: skip
    rows = tuple(
        (one.model, one.width, one.tokens or None, one.seconds or None, one.tokens_per_second, one.nats)
        for one in found.probes
    )
    return Table(
        name="probes", title="Probes", columns=columns, rows=rows,
        caption="Each a whole training with its schedule; where no loss stands, the passes alone were timed.",
    )  # fmt: skip


def how(found: Plan) -> Prose:
    """The law in words."""
    return Prose(
        name="law", title="",
        paragraphs=(
            "The loss of N parameters after D tokens is E + s (A N^-a + B (D + D0)^-b): a floor, what the model cannot "
            "hold, and what it has not seen (Kaplan et al. 2020; Hoffmann et al. 2022). Tokens that are read again "
            f"count less and less (Muennighoff et al. 2023, with R = {law().repeats:.3g}).",
            "A, a, B, b and D0 are each architecture's own, from trainings on two other texts; the floor E and the "
            f"scale s are this text's, fitted to the probes above. Here E is {found.floor:.3f} nats.",
            f"The interval is meant to hold {found.inside:.0%} of trainings. It joins what the probes leave open (they "
            "are drawn anew with replacement 400 times) and what the law was off where a text had no part in making "
            "it, more of it the further the training goes beyond the probes.",
        ),
    )  # fmt: skip
