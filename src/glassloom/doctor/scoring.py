"""Their loss as a function that can be asked: logits of our making go in, its value and gradient come out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Layout, logits_in
from glassloom.doctor.subject import accepts
from glassloom.doctor.watching import Backwards, forgetting, watched_backward

Domain = Literal["logits", "log-probabilities", "probabilities"]


@dataclass(frozen=True)
class Scored:
    """A loss and its gradient with respect to each position's logits."""

    value: float
    gradient: Tensor


Scorer = Callable[[Tensor, Tensor], Scored]
"""Takes logits `batch time vocab` and targets `batch time`; raises whatever their code raises."""


def in_domain(logits: Tensor, domain: Domain) -> Tensor:
    """Logits turned into what the model's outputs are."""
    if domain == "probabilities":
        return logits.softmax(-1)
    return logits.log_softmax(-1) if domain == "log-probabilities" else logits


def standard(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean cross-entropy over all positions; targets below zero do not count."""
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten().to(logits.device), ignore_index=-100)


def arranged(logits: Tensor, layout: Layout) -> Tensor:
    """Logits `batch time vocab` as the model itself would return them."""
    if layout.remixed or layout.time_first != layout.swapped:
        logits = logits.transpose(0, 1)
    if layout.remixed:
        logits = logits.reshape(logits.shape[1], logits.shape[0], -1)
    if layout.channels:
        logits = logits.transpose(1, 2)
    return logits.flatten(0, 1) if layout.flat else logits


def by_function(opened: Opened) -> Scorer | None:
    """Their `compute_loss`, asked directly."""
    compute, layout = opened.subject.compute_loss, opened.passer.layout
    if compute is None or not accepts(compute, 2):
        return None

    def score(logits: Tensor, targets: Tensor) -> Scored:
        leaf = logits.detach().clone().requires_grad_()
        given = targets.t().contiguous() if layout.time_first else targets
        with forgetting([compute]), torch.enable_grad():
            value = scalar(compute(arranged(leaf, layout), given))
            (gradient,) = torch.autograd.grad(value, leaf, allow_unused=True) if value.requires_grad else (None,)
        return Scored(value.item(), torch.zeros_like(leaf) if gradient is None else gradient)

    return score


def scalar(value: Any) -> Tensor:
    """The loss in what their function returns."""
    if isinstance(value, (tuple, list)):
        value = value[0]
    if isinstance(value, Mapping):
        value = value.get("loss", next(iter(value.values())))
    return value if isinstance(value, Tensor) else torch.tensor(float(value))


def by_step(opened: Opened, optimizer_of: Callable[[nn.Module], Any]) -> Scorer | None:
    """The loss inside their `train_step`: the model's logits are exchanged for ours on their way to it."""
    step, layout = opened.subject.train_step, opened.passer.layout
    if step is None:
        return None
    functions = [step, opened.subject.compute_loss]

    def score(logits: Tensor, targets: Tensor) -> Scored:
        model = opened.passer.with_(exact=False).model().train()
        leaf = logits.detach().clone().float().requires_grad_()
        inputs = torch.zeros_like(targets)
        given = [tokens.t().contiguous() if layout.time_first else tokens for tokens in (inputs, targets)]
        with forgetting(functions), exchanged(model, leaf, layout) as used, watched_backward() as seen:
            returned = step(model, optimizer_of(model), *given)
        if not used or leaf.grad is None:
            raise LookupError("the training step does not go through the model's logits")
        return Scored(loss_of(returned, seen), leaf.grad)

    return score


def loss_of(returned: Any, seen: Backwards) -> float:
    """What a training step went down, where that was seen; else what it returned."""
    if seen.values:
        return seen.values[-1]
    try:
        return float(scalar(returned).sum())
    except (TypeError, ValueError, StopIteration):
        return float("nan")


@contextlib.contextmanager
def exchanged(model: nn.Module, leaf: Tensor, layout: Layout) -> Iterator[list[int]]:
    """While the block runs, the model gives `leaf` instead of its logits, from the left on if called in pieces."""
    original = model.forward
    used: list[int] = []

    def forward(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        tokens = next(part for part in [*args, *kwargs.values()] if isinstance(part, Tensor) and part.ndim == 2)
        time = tokens.shape[0 if layout.time_first else 1]
        begin = sum(used) % leaf.shape[1]
        used.append(time)
        piece = leaf[:, begin : begin + time]
        ours = arranged(piece, layout)
        return put_back(output, ours + 0.0 * torch.nan_to_num(logits_in(output), 0.0, 0.0, 0.0).to(ours))

    model.forward = forward  # type: ignore[method-assign]
    try:
        yield used
    finally:
        del model.forward


def put_back(output: Any, logits: Tensor) -> Any:
    """The model's output with other logits in it."""
    old = logits_in(output)
    if old is output:
        return logits
    if isinstance(output, tuple) and hasattr(output, "_replace"):
        return type(output)(*[logits if part is old else part for part in output])
    if isinstance(output, (tuple, list)):
        return type(output)([logits if part is old else part for part in output])
    if isinstance(output, Mapping):
        return {**output, **{name: logits for name, part in output.items() if part is old}}
    if is_dataclass(output) and not isinstance(output, type):
        return replace(output, logits=logits)
    output.logits = logits
    return output
