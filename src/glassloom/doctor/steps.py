"""Their training loop as it runs: step after step on batches of theirs, each step's gradient and update noted."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.doctor.batches import made
from glassloom.doctor.guarded import sow
from glassloom.doctor.opening import Opened
from glassloom.doctor.parameters import groups_of
from glassloom.doctor.passes import call, read
from glassloom.doctor.scoring import loss_of, scalar, standard
from glassloom.doctor.subject import device_of
from glassloom.doctor.watching import forgetting, watched_backward

OUR_RATE = 3e-3
"""Adam's rate where there is no optimiser of theirs."""


@dataclass
class Step:
    """What one call of the training step did."""

    loss: float
    """What was gone down, or what was returned where that was not seen."""
    gradients: list[Tensor | None]
    """Of the parameters, at the moment when the optimiser stepped; all None where it did not."""
    stepped: bool
    moved: float
    """The largest change of any parameter."""
    by_optimizer: float
    """The same of the optimiser's own step; the loop may change it back."""
    nodes: int
    """Of the graph that was gone backward through."""
    seconds: float


@dataclass
class Loop:
    """A model, its optimiser, and the step that is theirs or ours."""

    opened: Opened
    model: nn.Module
    optimizer: Any

    @property
    def functions(self) -> list[Callable[..., Any] | None]:
        """What may keep something from step to step."""
        subject = self.opened.subject
        return [subject.train_step, subject.compute_loss, subject.make_batch]

    def step(self, inputs: Tensor, targets: Tensor) -> Any:
        """One step, theirs or the usual one."""
        theirs = self.opened.subject.train_step
        if theirs is not None:
            return theirs(self.model, self.optimizer, inputs, targets)
        self.optimizer.zero_grad()
        loss = self.loss(inputs, targets)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Their loss of the model, or the mean cross-entropy; the batch as it comes."""
        layout = self.opened.passer.layout
        tokens = inputs.t() if layout.time_first else inputs
        output = call(self.model, tokens, layout)
        compute = self.opened.subject.compute_loss
        if compute is not None:
            from glassloom.doctor.passes import logits_in

            return scalar(compute(logits_in(output), targets.to(device_of(self.model))))
        logits = read(output, len(tokens), tokens.shape[1], layout)
        wanted = targets.t() if layout.time_first else targets
        if layout.last_only:
            wanted = wanted[:, -1:]
        return standard(logits, wanted)

    def batch(self, text: Tensor, rows: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
        """A batch of theirs, or ours, on the model's device."""
        inputs, targets = made(self.opened.subject, text, rows, length, seed)
        device = device_of(self.model)
        return inputs.to(device), targets.to(device)


def new_loop(opened: Opened, seed: int = 0) -> Loop:
    """A new model in training mode, and its optimiser."""
    model = opened.passer.with_(exact=False, seed=seed).model().train()
    return Loop(opened, model, optimizer_for(opened, model))


def optimizer_for(opened: Opened, model: nn.Module) -> Any:
    """Their optimiser, or Adam; something harmless for a model that has nothing to learn."""
    build = opened.subject.build_optimizer
    if build is not None:
        return build(model)
    parameters = [value for value in model.parameters() if value.requires_grad]
    return torch.optim.Adam(parameters or [nn.Parameter(torch.zeros(1))], lr=OUR_RATE)


def noted(loop: Loop, inputs: Tensor, targets: Tensor, seed: int) -> Step:
    """Take one step and note what it did."""
    parameters: list[Tensor] = list(loop.model.parameters())
    before = [value.detach().clone() for value in parameters]
    gradients: list[list[Tensor | None]] = []
    changes: list[float] = []
    sow(seed)
    start = time.thread_time()
    with watched_backward() as seen, watched_steps(loop.optimizer, parameters, gradients, changes):
        returned = loop.step(inputs, targets)
    seconds = time.thread_time() - start
    moved = max((change(old, new) for old, new in zip(before, parameters, strict=True)), default=0.0)
    return Step(
        loss_of(returned, seen),
        gradients[-1] if gradients else [None] * len(parameters),
        bool(gradients),
        moved,
        max(changes, default=0.0),
        max(seen.nodes, default=0),
        seconds,
    )


def change(old: Tensor, new: Tensor) -> float:
    """The largest difference of two tensors; infinite where one is not finite."""
    if not old.numel():
        return 0.0
    found = (old - new.detach()).abs().max().item()
    return found if found == found else float("inf")


@contextlib.contextmanager
def watched_steps(
    optimizer: Any, parameters: list[Tensor], gradients: list[Any], changes: list[float]
) -> Iterator[None]:
    """Note the parameters' gradients whenever the optimiser steps, and how far it moves them."""
    originals = []

    def watching(step: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            gradients.append([None if p.grad is None else p.grad.detach().clone() for p in parameters])
            before = [value.detach().clone() for value in parameters]
            returned = step(*args, **kwargs)
            changes.append(max((change(old, new) for old, new in zip(before, parameters, strict=True)), default=0.0))
            return returned

        return stepped

    for one in several(optimizer):
        if hasattr(one, "step"):
            originals.append((one, one.__dict__.get("step")))
            one.step = watching(one.step)
    try:
        yield
    finally:
        for one, before in originals:
            if before is None:
                del one.step
            else:
                one.step = before


def several(optimizer: Any) -> list[Any]:
    """The optimisers in a list, tuple or dictionary of them, or the one."""
    if isinstance(optimizer, dict):
        return list(optimizer.values())
    return list(optimizer) if isinstance(optimizer, (list, tuple)) else [optimizer]


def parameters_of(loop: Loop) -> list[Tensor]:
    """Everything that has a gradient in a loop: the optimiser's, and the model's."""
    held = [value for group in groups_of(loop.optimizer) for value in group["params"]]
    return list({id(value): value for value in [*held, *loop.model.parameters()]}.values())


def rates_of(optimizer: Any) -> list[float]:
    """The learning rates of an optimiser's groups."""
    return [float(group["lr"]) for group in groups_of(optimizer) if "lr" in group]


def remembering(loop: Loop) -> Any:
    """What the loop's functions keep is as before after the block."""
    return forgetting(loop.functions)
