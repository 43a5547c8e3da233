"""Which checkpoint of a run is meant."""

from contextlib import suppress

from glassloom.errors import RunError, notice
from glassloom.runs.checkpoint import Checkpoint
from glassloom.runs.run import Run


def checkpoint_of(run: Run, step: int | None) -> Checkpoint:
    """The checkpoint of a step, or the best; of a run that diverged, with a notice which one that is.

    Raises:
        RunError: there is none of that step, or it is damaged.
    """
    if step is None:
        best = run.best()
        if has_diverged(run):
            untrained = ", the untrained model" if best.step == 0 else ""
            notice(f"Run {run.name} diverged; the checkpoint of step {best.step:,}{untrained}, is used.")
        return best
    found = {checkpoint.step: checkpoint for checkpoint in run.checkpoints()}
    if step not in found:
        there = ", ".join(str(number) for number in sorted(found))
        raise RunError(f"Run {run.name} has no checkpoint of step {step}", f"one of {there}", "choose another --step")
    fault = found[step].fault()
    if fault:
        raise RunError(f"The checkpoint of step {step} cannot be used: {fault}", "a whole one", "choose another --step")
    return found[step]


def has_diverged(run: Run) -> bool:
    """Whether the run's result says so; a result that cannot be read says nothing."""
    with suppress(RunError):
        return (run.result() or {}).get("status") == "diverged"
    return False
