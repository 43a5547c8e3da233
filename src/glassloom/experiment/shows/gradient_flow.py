"""The gradient through time of several runs, beside what was reported of it."""

from collections.abc import Mapping
from typing import Annotated

from glassloom.exhibits import Column, Exhibit, Table, Value
from glassloom.experiment.experiment import Experiment
from glassloom.experiment.shows.arguments import Count, Like, RunName, Runs, Which
from glassloom.experiment.shows.keeping import Measured, checkpoint_of, keep, title_of
from glassloom.runs import Run
from glassloom.views.gradient_flow import GradientFlow, gradient_flow_exhibits, run_gradient_flow

Step = Annotated[str, Like(r"[1-9][0-9]*", "the number of a step, from 1")]


def gradient_flow(
    experiment: Experiment,
    *,
    runs: Runs,
    layer: Count | None = 2,
    checkpoint: Which = "best",
    reported: Mapping[RunName, Mapping[Step, float]] | None = None,
) -> list[Exhibit]:
    """Norms of the gradient of the last step's loss with respect to each state of a layer (from 1; none: all).

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
    number = layer or max(each.layer for each in flow.layers)
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
