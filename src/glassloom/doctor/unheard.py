"""Targets that change nothing: which positions a training step leaves out, where its logits cannot be exchanged.

A step that goes through a method of the model's own, cell by cell, takes no logits from `forward`. It is then asked as
it is: one position's targets are replaced in every row, and loss, gradients and weights after the step must differ.
"""

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.losses import sizes
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.steps import new_loop, noted, remembering


def unheard_findings(opened: Opened, batch_shift: int) -> list[Finding]:
    """loss-ignores-positions, where replacing the targets of some positions leaves the step exactly as it was.

    Where `batch_shift` is 0 the loss shifts, and the first position's target is not asked for.
    """
    if opened.subject.train_step is None:
        return []
    batch, time = sizes(opened)
    unheard = set(range(time))
    for seed in (0, 1):
        inputs, targets = (opened.tokens(number + seed, batch, time) for number in (91, 93))
        plain = outcome(opened, inputs, targets, seed)
        if not all(bool(part.isfinite().all()) for part in plain):
            return []
        for place in sorted(unheard):
            other = targets.clone()
            other[:, place] = (other[:, place] + 1) % opened.known
            changed = outcome(opened, inputs, other, seed)
            if any(not torch.equal(one, two) for one, two in zip(plain, changed, strict=True)):
                unheard.discard(place)
    if batch_shift == 0:
        unheard.discard(0)
    if not unheard or len(unheard) == time:
        return []
    evidence: Evidence = {"ignored_positions": sorted(unheard), "positions": time, "rows": batch}
    words = f"Replacing the targets of {len(unheard)} of {time} positions left loss, gradients and update as they were."
    return [finding("loss-ignores-positions", evidence, words)]


def outcome(opened: Opened, inputs: Tensor, targets: Tensor, seed: int) -> list[Tensor]:
    """What one step of a new loop leaves: its loss, its gradients, the weights after it."""
    loop = new_loop(opened, seed)
    if opened.passer.layout.time_first:
        inputs, targets = inputs.t().contiguous(), targets.t().contiguous()
    with remembering(loop):
        step = noted(loop, inputs, targets, seed)
    parameters = list(loop.model.parameters())
    kept = [value.grad if grad is None else grad for value, grad in zip(parameters, step.gradients, strict=True)]
    gradients = [grad for grad in kept if grad is not None]
    return [torch.tensor(step.loss), *gradients, *(value.detach() for value in parameters)]
