"""Other learning rates than theirs, whatever schedule sets them, and rates that rise from step to step."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.opening import Opened
from glassloom.doctor.parameters import groups_of, optimizers_in
from glassloom.doctor.steps import Loop, new_loop, rates_of, remembering

UNIT = 1e-4
"""What factors multiply where the rate is zero."""
WARM_UP, LEAST = 20_000, 1e-4
"""A warm-up is meant where it reaches the least of usual rates in so many steps: twice BERT's 10,000."""


def at_another_rate(loop: Loop, factor: float, fixed: bool) -> bool:
    """Let the optimisers step at `factor` times their rate (in units of 1e-4, where it is zero); False without a rate.

    Their rate is the one at that moment, which a schedule may have set, or the first one, if it is to be `fixed`.
    """
    owners = [one for one in optimizers_in(loop.optimizer) if any("lr" in group for group in groups_of(one))]
    if factor != 1:
        for one in owners:
            one.step = stepping(one, one.step, factor, fixed)
    return bool(owners)


def stepping(owner: Any, step: Callable[..., Any], factor: float, fixed: bool) -> Callable[..., Any]:
    """An optimiser's step at another rate; afterwards each group's rate is again what the schedule knows."""
    groups = [group for group in groups_of(owner) if "lr" in group]
    first = [group["lr"] for group in groups]

    def stepped(*args: Any, **kwargs: Any) -> Any:
        now = [group["lr"] for group in groups]
        for group, rate in zip(groups, first if fixed else now, strict=True):
            group["lr"] = factor * (rate if float(rate) else UNIT)
        try:
            return step(*args, **kwargs)
        finally:
            for group, rate in zip(groups, now, strict=True):
                group["lr"] = rate

    return stepped


def stretch(loop: Loop, old: list[Tensor], factor: float) -> None:
    """Make the last update `factor` times as long: what another rate would have done."""
    with torch.no_grad():
        for value, before in zip(loop.model.parameters(), old, strict=True):
            value.copy_(before + factor * (value - before))


def rising(opened: Opened, batches: list[tuple[Tensor, Tensor]]) -> float:
    """By how much the rate rises a step, in a warm-up; infinite where it rises ever faster."""
    loop = new_loop(opened)
    with remembering(loop):
        rates = [max(rates_of(loop.optimizer), default=0.0)]
        for batch in batches[:4]:
            loop.step(*batch)
            rates.append(max(rates_of(loop.optimizer), default=0.0))
    first, last = rates[2] - rates[1], rates[4] - rates[3]
    if rates[4] <= 1.05 * rates[0]:
        return 0.0
    return math.inf if last > 1.01 * first else last
