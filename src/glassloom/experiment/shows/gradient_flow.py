"""The gradient through time of several runs, beside what was reported of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from glassloom.exhibits import Column, Exhibit, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import FromZero, Like, RunName, Runs, Which
from glassloom.experiment.shows.keeping import Measured, checkpoint_of, keep, title_of
from glassloom.runs import Run
from glassloom.views.gradient_flow import GradientFlow, gradient_flow_exhibits, run_gradient_flow

Step = Annotated[str, Like(r"[1-9][0-9]*", "the number of a step, from 1")]


def gradient_flow(
    experiment: Experiment,
    *,
    runs: Runs,
    layer: FromZero | None = 1,
    checkpoint: Which = "best",
    reported: Mapping[RunName, Mapping[Step, float]] | None = None,
) -> list[Exhibit]:
    """Norms of the gradient of the last step's loss with respect to each state of a layer (from 0; none: all).

    `reported` holds, by run, the scaled norm at some steps: `{ "3.1a" = { 1 = 3.0e-6 } }`. Adds the figure
    `gradient at the first step ID`.
    """
    told = reported or {}

    def measure(there: dict[str, Run]) -> Measured:
        flows = {
            id: run_gradient_flow(run, experiment.corpus(id), checkpoint_of(run, checkpoint))
            for id, run in there.items()
        }
        named = {title_of(id, there[id]): flow for id, flow in flows.items()}
        first = {f"gradient at the first step {id}": at_step(flow, layer, 1) for id, flow in flows.items()}
        exhibits = gradient_flow_exhibits(named, layer)
        return [*exhibits, *beside(flows, layer, told)], {
            name: norm for name, norm in first.items() if norm is not None
        }

    arguments = {"layer": layer, "checkpoint": checkpoint, "reported": told}
    return keep(experiment, "gradient-flow", runs, arguments, measure)


def at_step(flow: GradientFlow, layer: int | None, step: int) -> float | None:
    """The scaled norm at a step (from 1) of the layer that is shown, or of the last one; None beyond the last step."""
    number = max(each.layer for each in flow.layers) if layer is None else layer
    shown = next(each for each in flow.layer(number) if each.value != "cell")
    return shown.scaled[step - 1] if step <= len(shown.norms) else None


def beside(
    flows: Mapping[str, GradientFlow], layer: int | None, reported: Mapping[str, Mapping[str, float]]
) -> list[Exhibit]:
    """The reported norms beside ours at the same steps."""
    rows: list[tuple[Value, ...]] = [
        (id, int(step), norm, at_step(flows[id], layer, int(step)))
        for id, steps in reported.items()
        if id in flows
        for step, norm in steps.items()
    ]
    columns = (Column("run", numeric=False), Column("step"), Column("reported", ".1e"), Column("ours", ".1e"))
    table = Table(
        name="gradient-reported",
        title="Gradient through time, reported and ours",
        caption="As a share of the largest norm. Both depend on how far the model was trained.",
        columns=columns,
        rows=tuple(rows),
    )
    return [table] if rows else []


HARDLY = 0.01
"""A share of the last step's gradient below which a step is called lost to training."""


@dataclass(frozen=True)
class Memory:
    """How a run's gradient falls on the way back from the loss: see `LayerFlow`."""

    id: str
    model: str
    state: str
    steps: int
    half_life: float | None
    first_to_last: float | None


def memories(experiment: Experiment, ids: Sequence[str], layer: int = 1) -> list[Memory]:
    """What the gradient flow of a layer says of those runs that exist, measured once."""
    found = []
    for id, run in experiment.there(ids).items():

        def measure(id: str = id, run: Run = run) -> dict[str, Any]:
            flow = run_gradient_flow(run, experiment.corpus(id), run.best())
            [shown] = [each for each in flow.layer(layer) if each.value != "cell"]
            return {
                "state": shown.name, "steps": len(shown.norms),
                "half_life": shown.half_life, "first_to_last": shown.first_to_last,
            }  # fmt: skip

        kept = experiment.kept(f"gradient-memory-{id}-{layer}", measure, of=[run])
        found.append(Memory(id=id, model=run.config.architecture, **kept))
    return found


def gradients_in_words(found: Sequence[Memory]) -> tuple[str, ...]:
    """What the norms mean, in two sentences: what each run's gradient does, and what follows for what it can learn."""
    parts = []
    for one in found:
        fall = "does not fall" if one.half_life is None else f"halves every {one.half_life:.1f} steps"
        left = "none" if one.first_to_last is None else f"{one.first_to_last:.2g} times the last step's"
        parts.append(f"{one.id} ({one.model}, {one.state}) {fall}, and the first of {one.steps} steps has {left}")
    if not parts:
        return ("Not yet run.",)
    known = [one for one in found if one.first_to_last is not None]
    sentences = [f"On the way back from the loss at the last step the norm of the gradient: {'; '.join(parts)}."]
    if len(known) > 1:
        far = max(known, key=lambda one: one.first_to_last or 0.0)
        near = min(known, key=lambda one: one.first_to_last or 0.0)
        ratio = (far.first_to_last or 0.0) / near.first_to_last if near.first_to_last else math.inf
        times = f"{ratio:,.3g} times" if math.isfinite(ratio) else "infinitely many times"
        hardly = (near.first_to_last or 0.0) < HARDLY
        sentences.append(
            "The norm at a step says how much a change of the state there would change the loss at the end, which is "
            f"all that training has to learn such a distance from: across {near.steps - 1} steps "
            f"{far.id} ({far.model}) keeps {times} the share that {near.id} ({near.model}) keeps"
            + (f", and less than {HARDLY:.0%} is too little for {near.id} to learn from." if hardly else ".")
        )
    return tuple(sentences)
