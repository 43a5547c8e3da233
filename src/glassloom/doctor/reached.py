"""Findings on what no gradient reaches: neither from the logits, nor in the steps of a loop of theirs."""

import torch
from torch import Tensor

from glassloom.doctor.finding import Finding
from glassloom.doctor.guarded import sow
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.parameters import total_of
from glassloom.doctor.steps import new_loop, noted, remembering


def unreached_findings(opened: Opened) -> list[Finding]:
    """unreached-parameters: without a gradient in every one of several passes, in both modes, plain and shaken."""
    without: dict[str, str] | None = None
    sizes: dict[str, int] = {}
    for number, (training, jitter) in enumerate([(False, 0.0), (False, 0.3), (True, 0.3), (True, 0.0)]):
        passer = opened.passer.with_(training=training, jitter=jitter, seed=number)
        module = passer.model()
        sow(number)
        tokens = opened.tokens(70 + number, time=opened.long)
        loss = total_of(module, passer, tokens, number)
        named = {name: value for name, value in module.named_parameters() if value.requires_grad}
        sizes = {name: value.numel() for name, value in named.items()}
        if loss.requires_grad:
            gradients: tuple[Tensor | None, ...] = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
        else:
            gradients = (None,) * len(named)
        now = {}
        for name, gradient in zip(named, gradients, strict=True):
            if gradient is None:
                now[name] = "no path"
            elif not bool(gradient.abs().max() > 0):
                now[name] = "zero"
        without = now if without is None else {name: now[name] for name in without if name in now}
        if not without:
            return []
    assert without is not None
    without = {name: why for name, why in without.items() if why == "no path" or has_effect(opened, name)}
    if without:
        without = {name: why for name, why in without.items() if name not in reached_by_their_steps(opened)}
    if not without:
        return []
    evidence = {
        "parameters": list(without)[:20],
        "count": len(without),
        "of": len(sizes),
        "numbers": sum(sizes[name] for name in without),
        "numbers_of": sum(sizes.values()),
    }
    words = f"No gradient reaches {len(without)} of {len(sizes)} tensors: {', '.join(list(without)[:4])}."
    return [finding("unreached-parameters", evidence, words)]


def has_effect(opened: Opened, name: str) -> bool:
    """Whether a zero gradient is a fault: not where the parameter is a vector that changes nothing (a key's bias)."""
    module = opened.passer.model()
    return dict(module.named_parameters())[name].ndim > 1


def reached_by_their_steps(opened: Opened) -> set[str]:
    """The parameters to which a gradient comes in their own steps, which may have losses beside that of the logits.

    A second head, a router's balance: what the logits do not depend on is trained all the same.
    """
    if opened.subject.train_step is None:
        return set()
    rows, length = opened.batch, min(opened.long, 16)
    loop = new_loop(opened)
    reached: set[str] = set()
    with remembering(loop):
        for number in range(4):
            before = [value.detach().clone() for value in loop.model.parameters()]
            try:
                step = noted(loop, *loop.batch(opened.tokens(85, 1, 1000)[0], rows, length, number), seed=number)
            except Exception:
                break
            named = loop.model.named_parameters()
            for (name, value), old, at_update in zip(named, before, step.gradients, strict=True):
                gradient = value.grad if at_update is None else at_update  # some loops update every few calls only
                if gradient is not None and bool(gradient.abs().max() > 0) and not only_shrinks(gradient, old):
                    reached.add(name)
    return reached


def only_shrinks(gradient: Tensor, value: Tensor) -> bool:
    """Whether a gradient is only a penalty on the weights' size: a multiple of the weights, or of their signs."""
    gradient, value = gradient.flatten().double(), value.flatten().double()
    for way in (value, value.sign()):
        share = gradient @ way / (way @ way).clamp(min=1e-300)
        if len(gradient) > 1 and (gradient - share * way).norm() < 1e-4 * gradient.norm():
            return True
    return False
