"""What a run's history tells of its steps: how often they were clipped, how long they were, when they stopped."""

import numpy as np

from glassloom.doctor.course import FEW, median
from glassloom.doctor.finding import Finding
from glassloom.doctor.recorded import History, fall
from glassloom.doctor.run_names import run_finding
from glassloom.errors import InputError
from glassloom.views.training_norms import TrainingNorms, training_norms

CLIPPED = 0.95
"""The share of logged steps that must have been clipped."""
NEAR_ZERO, LONG = 1e-3, 0.25
"""A rate below this share of the highest is near zero; over such a part of the run it is a finding."""
LARGE, TINY = 1.0, 1e-6
"""Of update-to-weight ratios; in ordinary runs of all optimizers they lie between 1e-5 and 0.2."""


def always_clipped(history: History) -> Finding | None:
    """`always-clipped`: at nearly every logged step; serious where SGD is slowed down tenfold and still learns."""
    before, after = history.updates["norm_before"], history.updates["norm_after"]
    if len(before) < FEW:
        return None
    share = float((after < 0.999 * before).mean())
    if share < CLIPPED:
        return None
    train = history.run.config.train
    factor = median(before / np.maximum(after, 1e-12))
    held_back = train.optimizer == "sgd" and factor >= 10 and history.fall(0.7, 1).is_steep
    limit = f"--clip-norm {train.clip_norm:g}" if train.clip_norm else f"--clip-value {train.clip_value:g}"
    return run_finding(
        "always-clipped",
        {"share_of_steps": share, "median_norm_before": median(before), "median_norm_after": median(after),
         "median_factor": factor, "optimizer": train.optimizer},
        f"With {limit}, {share:.0%} of the logged steps were scaled down, by a median factor of {factor:.3g}.",
        severity="serious" if held_back else "note",
    )  # fmt: skip


def rate_at_zero(history: History) -> Finding | None:
    """`learning-rate-at-zero` for a quarter of the run or more; a note where the loss had stopped falling before."""
    rates, steps = history.updates["lr"], history.updates["step"]
    if len(rates) < FEW:
        return None
    peak = int(rates.argmax())
    low = rates < NEAR_ZERO * rates[peak]
    low[: peak + 1] = False
    if not low.any() or not low[-1]:
        return None
    first = int(len(low) - np.argmin(low[::-1]))  # after it the rate was never higher again
    share = float((steps[-1] - steps[first]) / steps[-1])
    if share < LONG:
        return None
    before = fall(history.losses[first // 2 : first], history.weights[first // 2 : first])
    return run_finding(
        "learning-rate-at-zero",
        {"share_of_run": share, "from_step": int(steps[first]), "highest_rate": float(rates[peak]),
         "last_rate": float(rates[-1]), "loss_fell_nats_before": before.nats, "schedule": str(
             history.run.config.train.schedule)},
        f"From step {int(steps[first]):,} on, {share:.0%} of the run, the rate was below {rates[first]:.1e}, "
        + (f"while the loss had just fallen by {before.nats:.3f} nats a token." if before.is_steep
           else "though the loss had stopped falling before that."),
        severity="serious" if before.is_steep else "note",
    )  # fmt: skip


def update_ratios(history: History) -> Finding | None:
    """`updates-too-large`, a note, where one update outweighs a layer; `updates-too-small`, where none moves any.

    The first update does not count for the latter, and layers that are all zero count for neither.
    """
    norms = recorded_norms(history)
    if norms is None or len(norms.steps) < 3 or history.uniform == 0:
        return None
    ratios = np.where(np.isfinite(norms.ratio), norms.ratio, 0.0)
    layer, moment = np.unravel_index(int(ratios.argmax()), ratios.shape)
    largest = float(ratios[layer, moment])
    name, step = norms.layers[layer], norms.steps[moment]
    evidence = {"layer": name, "step": step, "ratio": largest, "moments": len(norms.steps)}
    if largest >= LARGE:
        where = f"In {name}, at step {step:,}, it was {largest:.3g} of the layer's norm."
        return run_finding("updates-too-large", evidence, where)
    later = float(ratios[:, 1:].max())
    if later < TINY:
        return run_finding("updates-too-small", {**evidence, "ratio": later}, f"The largest of all was {later:.2g}.")
    return None


def recorded_norms(history: History) -> TrainingNorms | None:
    """What the run recorded of its layers; None of runs of older versions, and of ones whose records are damaged."""
    try:
        return training_norms(history.run)
    except (InputError, KeyError, TypeError, ValueError):
        return None
