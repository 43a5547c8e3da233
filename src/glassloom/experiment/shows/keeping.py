"""What takes time to measure is measured once: a show's exhibits and figures, kept in the experiment's folder."""

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from glassloom.exhibits import Exhibit, Prose, as_dict, from_dict
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Which
from glassloom.runs import Checkpoint, Run

Measured = tuple[Sequence[Exhibit], Mapping[str, float]]
"""Exhibits, and figures for targets by name."""


def keep(
    experiment: Experiment, show: str, runs: Sequence[str], arguments: Mapping[str, Any],
    measure: Callable[[dict[str, Run]], Measured],
) -> list[Exhibit]:  # fmt: skip
    """The exhibits that `measure` makes of those runs that exist, as they were kept, or measured now.

    Their names begin with the show's and the runs', so that a page may ask for the same show of others. A run that does
    not exist yet is named. `arguments` are what else decides the result.
    """
    there = experiment.there(runs)
    absent = [id for id in runs if id not in there]
    prefix = slug("-".join([show, *(there if len(there) < 4 else [*list(there)[:3], "more"])]))
    exhibits: list[Exhibit] = []
    if there:
        asked = json.dumps([list(there), arguments], sort_keys=True)
        name = f"{prefix}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"

        def compute() -> dict[str, Any]:
            made, figures = measure(there)
            return {"exhibits": [as_dict(exhibit) for exhibit in made], "figures": dict(figures)}

        found = experiment.kept(name, compute, of=list(there.values()))
        experiment.figures.update(found["figures"])
        for data in found["exhibits"]:
            exhibit = from_dict(data)
            exhibits.append(dataclasses.replace(exhibit, name=f"{prefix}-{slug(exhibit.name)}"))
    if absent:
        paragraph = f"Not yet run: {', '.join(absent)}."
        exhibits.append(Prose(name=f"{prefix}-not-yet-run", title="Not yet run", paragraphs=(paragraph,)))
    return exhibits


def slug(name: str) -> str:
    """A name inside a file's name: `3.1a` as `3-1a`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def title_of(id: str, run: Run) -> str:
    """A run as figures name it: its id and architecture, the latter once."""
    model = run.config.architecture
    return id if model in id else f"{id} ({model})"


def checkpoint_of(run: Run, which: Which) -> Checkpoint:
    """The `best` checkpoint, or the `newest`."""
    return run.best() if which == "best" else run.newest()
