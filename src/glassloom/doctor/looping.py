"""Findings on the training step, from a few steps of it: gradients kept, updates that do not descend, state."""

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened, told
from glassloom.doctor.parameters import groups_of
from glassloom.doctor.steps import Loop, Step, new_loop, noted, rates_of, remembering

STEPS = 6
GATHERED = 8
"""Calls of a step within which a loop is expected to update: gradients of so many are gathered at most."""
GRAPH_GROWTH = 1.25
UNDONE = 0.02
"""Of the optimiser's own update less than this share is left: a projection or an average on purpose leaves more."""


def several_steps(opened: Opened, text: Tensor, rows: int, length: int, count: int = STEPS) -> tuple[list[Step], str]:
    """The first steps of a new loop on batch after batch, and the error that ended them, if one did."""
    loop = new_loop(opened)
    steps: list[Step] = []
    with remembering(loop):
        for number in range(count):
            try:
                steps.append(noted(loop, *loop.batch(text, rows, length, number), seed=number))
            except Exception as error:
                return steps, told(error)
    return steps, ""


def zeroing_findings(opened: Opened, text: Tensor, rows: int, length: int) -> list[Finding]:
    """gradients-not-zeroed: a second step's gradient is told apart into its own and the first step's.

    The second step is taken twice from the same weights: once after the first, once by a loop that has taken none.
    Where the gradients differ by a multiple of the first step's, that is what was left over. A step is what lies
    between two updates: some loops gather the gradients of several calls.
    """
    if opened.subject.train_step is None:
        return []
    first = new_loop(opened)
    with remembering(first):
        batches = [first.batch(text, rows, length, number) for number in range(2 * GATHERED)]
        one, used = until_update(first, batches)
        between = [value.detach().clone() for value in first.model.parameters()]
        two, more = until_update(first, batches, used)
    if not (one.stepped and two.stepped):
        return []
    second = new_loop(opened)
    with torch.no_grad():
        for value, wanted in zip(second.model.parameters(), between, strict=True):
            value.copy_(wanted)
    copy_buffers(first, second)
    with remembering(second):
        alone, as_many = until_update(second, batches, used)
    if as_many != more:
        return []
    names = [name for name, _ in first.model.named_parameters()]
    stepped = updated(first, [one.gradients, two.gradients, alone.gradients])
    left = leftover(*(flat(gradients) for gradients in stepped))
    if left is not None and left[0] >= 0.3 and left[1] >= 0.9:
        evidence: Evidence = {"share_of_first_gradient": left[0], "explained": left[1]}
        words = f"The second step's gradient held {left[0]:.2f} times the first step's beside its own."
        return [finding("gradients-not-zeroed", evidence, words)]
    kept = [name for name, *gradients in zip(names, *stepped, strict=True) if still_there(*gradients)]
    if not kept:
        return []
    evidence = {"tensors_that_keep_it": kept[:20], "count": len(kept), "of": len(names)}
    words = f"In {len(kept)} of {len(names)} tensors the second step's gradient held the first step's too."
    return [finding("gradients-not-zeroed", evidence, words)]


def until_update(loop: Loop, batches: list[tuple[Tensor, Tensor]], begin: int = 0) -> tuple[Step, int]:
    """Take calls of the step, batch after batch, until the optimiser has moved on; the last one, and how many."""
    for number in range(begin, begin + GATHERED):
        step = noted(loop, *batches[number], seed=number)
        if step.stepped:
            break
    return step, number - begin + 1


def updated(loop: Loop, steps: list[list[Tensor | None]]) -> list[list[Tensor | None]]:
    """The gradients, without those of what the optimiser does not hold, which it can neither use nor zero."""
    held = {id(value) for group in groups_of(loop.optimizer) for value in group["params"]}
    known = [not held or id(value) in held for value in loop.model.parameters()]
    return [[one if there else None for one, there in zip(step, known, strict=True)] for step in steps]


def copy_buffers(source: Loop, target: Loop) -> None:
    """Running statistics are carried over with the weights."""
    for old, new in zip(source.model.buffers(), target.model.buffers(), strict=False):
        if old.shape == new.shape:
            new.copy_(old)


def flat(gradients: list[Tensor | None]) -> Tensor:
    """All gradients as one vector; zero where there is none, in float64."""
    parts = [torch.zeros(0) if value is None else value.detach().flatten().double().cpu() for value in gradients]
    return torch.cat(parts) if parts else torch.zeros(0)


def still_there(first: Tensor | None, second: Tensor | None, alone: Tensor | None) -> bool:
    """Whether one tensor's second gradient is what it would be alone, and the first one on top."""
    if first is None or second is None or alone is None or first.numel() < 8:
        return False
    first, difference = first.double(), (second - alone).double()
    size = first.norm()
    if not size > 0 or not bool(difference.isfinite().all()) or difference.norm() < 0.1 * size:
        return False
    share = (difference * first).sum() / size**2
    return bool(0.3 < share < 1.5 and (difference - share * first).norm() < 0.05 * difference.norm())


def leftover(first: Tensor, second: Tensor, alone: Tensor) -> tuple[float, float] | None:
    """How much of the first gradient the second holds beside what it would be alone, and how well that explains it.

    Least squares of second = a alone + b first; b and the share of the difference second - alone explained by it.
    """
    if not (first.shape == second.shape == alone.shape) or not len(first) or not bool(first.abs().max() > 0):
        return None
    if not bool(torch.isfinite(torch.cat([first, second, alone])).all()):
        return None
    difference = (second - alone).norm()
    if difference <= 1e-3 * second.norm():
        return None
    basis = torch.stack([alone, first], 1)
    coefficients = torch.linalg.lstsq(basis, second.unsqueeze(1)).solution.flatten()
    residual = (second - basis @ coefficients).norm()
    return coefficients[1].item(), 1 - (residual / difference).item()


def descent_findings(opened: Opened, text: Tensor, rows: int, length: int) -> list[Finding]:
    """no-progress, told exactly: nothing moves, or what moves goes up the gradient of the loss."""
    loop = new_loop(opened)
    if opened.subject.train_step is None and opened.subject.build_optimizer is None:
        return []
    rates = rates_of(loop.optimizer)
    with remembering(loop):
        batch = loop.batch(text, rows, length, 0)
        before = [value.detach().clone() for value in loop.model.parameters()]
        gradient = true_gradient(opened, batch)
        steps = [noted(loop, *batch, seed=0)]
        while len(steps) < 8 and max(step.moved for step in steps) == 0.0:
            steps.append(noted(loop, *batch, seed=len(steps)))  # some loops step every few calls only
        while len(steps) < 3 and undone(steps):
            steps.append(noted(loop, *batch, seed=len(steps)))
    moved = max(step.moved for step in steps)
    if moved == 0.0:
        if rates and max(rates) == 0.0:
            return []  # told by the trial of rates
        cleared = any(step.stepped for step in steps) and all(
            value is None or not bool(value.abs().max() > 0) for step in steps for value in step.gradients
        )
        backward = any(step.nodes for step in steps)
        why = (
            "when the optimiser stepped, every gradient was zero or gone"
            if cleared and backward
            else "no backward pass was seen"
            if not backward
            else "the optimiser's step was never called"
            if not any(step.stepped for step in steps)
            else "the optimiser stepped and changed nothing of this model"
        )
        evidence: dict[str, Any] = {"largest_change": 0.0, "steps": len(steps), "optimizer_stepped": steps[-1].stepped}
        return [finding("no-progress", evidence, f"After {len(steps)} steps no parameter had moved: {why}.")]
    if undone(steps):
        own = max(step.by_optimizer for step in steps)
        evidence = {"largest_change": moved, "largest_change_by_optimizer": own, "steps": len(steps)}
        words = f"The optimiser moved weights by up to {own:.2g}, and after the step {moved:.2g} of it was left."
        return [finding("no-progress", evidence, words, "See what writes to the weights after the optimiser's step.")]
    if gradient is None:
        return []
    update = flat([new.detach() - old for old, new in zip(before, loop.model.parameters(), strict=True)])
    cosine = (update @ gradient / (update.norm() * gradient.norm()).clamp(min=1e-300)).item()
    if not math.isfinite(cosine) or cosine < 0.05:
        return []
    evidence = {"cosine_of_update_and_gradient": cosine, "largest_change": moved}
    words = f"The update's cosine with the gradient of the loss is {cosine:+.2f}, so the loss goes up."
    return [finding("no-progress", evidence, words, "The sign is wrong.")]


def undone(steps: list[Step]) -> bool:
    """Whether each step ends nearly where it began though the optimiser moved: what it did was written over."""
    return all(0 < step.moved < UNDONE * step.by_optimizer for step in steps)


def true_gradient(opened: Opened, batch: tuple[Tensor, Tensor]) -> Tensor | None:
    """The gradient of the cross-entropy of a new model on a batch, with dropout off."""
    from glassloom.doctor.passes import call, read
    from glassloom.doctor.scoring import standard

    layout = opened.passer.layout
    model = opened.passer.with_(exact=False).model().eval()
    inputs, targets = (part.t() if layout.time_first else part for part in batch)
    try:
        logits = read(call(model, inputs, layout), len(inputs), inputs.shape[1], layout)
        wanted = targets[:, -1:] if layout.last_only else targets
        found = torch.autograd.grad(standard(logits, wanted), list(model.parameters()), allow_unused=True)
    except Exception:
        return None
    return flat([torch.zeros_like(v) if g is None else g for g, v in zip(found, model.parameters(), strict=True)])


def carrying_findings(steps: list[Step], error: str) -> list[Finding]:
    """state-not-detached: the graph grows from step to step, or a step goes back through one that is gone."""
    if error and steps and any(words in error for words in ("second time", "inplace operation", "in-place")):
        evidence = {"steps_that_worked": len(steps), "error": error}
        words = "The second step went backward through the first one's graph, which is freed by then."
        return [finding("state-not-detached", evidence, words)]
    nodes = [step.nodes for step in steps]
    if len(nodes) < 4 or min(nodes[1:]) == 0:
        return []
    if all(later > earlier for earlier, later in itertools.pairwise(nodes[1:])):
        growth = nodes[-1] / nodes[1]
        if growth > GRAPH_GROWTH:
            evidence = {"graph_nodes": nodes, "growth": growth}
            words = f"From step to step the graph grew: {', '.join(f'{count:,}' for count in nodes)} nodes."
            return [finding("state-not-detached", evidence, words)]
    return []
