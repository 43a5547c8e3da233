"""Repair by trial: one batch is learned as the loop stands and with the suspected fault mended, under equal budget.

What a mend gains is told beside the finding that it belongs to, and changes no verdict. Names without a mend here need
one in the code itself (a mask, an axis); those of learning rates were tried already by `trials`.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.finding import Finding
from glassloom.doctor.guarded import sow
from glassloom.doctor.lossy import tail_of
from glassloom.doctor.mends import orthogonal, small_matrices, small_output
from glassloom.doctor.opening import Opened
from glassloom.doctor.parameters import groups_of, leaves_of_loss
from glassloom.doctor.passes import call, read
from glassloom.doctor.ranking import CUT
from glassloom.doctor.scoring import Domain, standard
from glassloom.doctor.steps import OUR_RATE, Loop, new_loop, parameters_of, remembering, several
from glassloom.doctor.trials import Trials

STEPS, FEWEST = 40, 12
"""How many steps each of the two takes, and below how many nothing is told."""
Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Mend:
    """A fault mended from outside: what is done, in words, and what is exchanged for what."""

    words: str
    prepare: Callable[[Loop, Pair], None] = lambda loop, batch: None
    """Changes the new loop before its first step."""
    before: Callable[[Loop], None] = lambda loop: None
    """Runs before each step."""
    plain: bool = False
    """The step is the usual one with the mean cross-entropy, on their optimiser."""
    asked: Callable[[Pair, Finding], Pair] = lambda batch, found: sound(batch)
    """What the mended loop is asked to learn of a batch, and both are measured by; `batch time`, both."""


def zeroed(loop: Loop) -> None:
    """Clear every gradient."""
    for value in parameters_of(loop):
        value.grad = None


def holding_all(loop: Loop, batch: Pair) -> None:
    """Give the optimiser what the loss depends on and it does not hold, at the rate of its first group."""
    held = {id(value) for group in groups_of(loop.optimizer) for value in group["params"]}
    missed = [leaf for leaf in leaves_of_loss(loop.opened, loop.model) if id(leaf) not in held]
    several(loop.optimizer)[0].add_param_group({"params": missed})


def usual_optimizer(loop: Loop, batch: Pair) -> None:
    """Adam at the usual rate over all parameters."""
    loop.optimizer = torch.optim.Adam([value for value in loop.model.parameters() if value.requires_grad], lr=OUR_RATE)


def sound(batch: Pair) -> Pair:
    """The batch, where most of its targets are the next tokens; else its inputs, moved on by one (the loss shifts)."""
    inputs, targets = batch
    there = targets[:, :-1] >= 0
    agree = (targets[:, :-1] == inputs[:, 1:])[there].float().mean()
    return batch if agree > 0.5 else moved_on(inputs)


def moved_on(inputs: Tensor) -> Pair:
    """The inputs, and the inputs moved on by one: a target that is right whatever the batch's own is."""
    return inputs[:, :-1].contiguous(), inputs[:, 1:].contiguous()


def next_tokens(batch: Pair, found: Finding) -> Pair:
    """The targets are what comes next in the inputs, whatever they were."""
    return moved_on(batch[0])


def without_padding(batch: Pair, found: Finding) -> Pair:
    """The ends of rows that are filled up do not count."""
    inputs, targets = batch
    return inputs, targets.masked_fill(tail_of(targets, int(found.evidence["padding"])), -100)


MENDS: dict[str, Mend] = {
    "softmax-before-loss": Mend("the loss was taken of the outputs' logarithm", plain=True),
    "gradients-not-zeroed": Mend("gradients were cleared before each step", before=zeroed),
    "optimizer-misses-parameters": Mend("the optimiser held them all", prepare=holding_all),
    "targets-not-shifted": Mend("the targets were the next tokens", plain=True, asked=next_tokens),
    "targets-misaligned": Mend("the targets were the next tokens", plain=True, asked=next_tokens),
    "loss-ignores-positions": Mend("the loss was the mean cross-entropy", plain=True),
    "loss-misreads-axes": Mend("the loss was the mean cross-entropy", plain=True),
    "loss-not-a-mean": Mend("the loss was the mean cross-entropy", plain=True),
    "padding-counted": Mend("padded targets were left out", plain=True, asked=without_padding),
    "no-progress": Mend("a plain loop with Adam took the steps", prepare=usual_optimizer, plain=True),
    "vanishing-gradient": Mend("the recurrent weights began orthogonal", prepare=orthogonal),
    "exploding-gradient": Mend("the recurrent weights began orthogonal", prepare=orthogonal),
    "saturated-attention": Mend(
        "all matrices began small, with an rms of at most 0.5/sqrt(width)", prepare=small_matrices
    ),
    "bad-initial-loss": Mend(
        "the output's weights began small, with an rms of at most 0.5/sqrt(width)", prepare=small_output
    ),
}


@dataclass(frozen=True)
class Course:
    """How one of the two went."""

    before: float
    after: float
    steps: int


def repaired(found: Finding, trials: Trials, until: float) -> Finding:
    """The finding with what its mend gained in its evidence (`repair`) and told, or as it is where none can be tried.

    `until` is the moment of this thread's own time by which both courses must be over.
    """
    if "learning-rate" in found.name:
        tried = found.evidence
        return with_repair(found, tried["loss_at_its_rate"], tried["loss_at_that_rate"], tried["steps"], "")
    mend = MENDS.get(found.name)
    if mend is None or CUT in found.evidence or trials.opened.passer.layout.last_only:
        return found
    half = (until - time.thread_time()) / 2
    if half < 0.5:
        return found
    try:
        plain = course(trials, found, mend, False, STEPS, half)
        if plain.steps < FEWEST:
            return found
        mended = course(trials, found, mend, True, plain.steps, 2 * half)
    except Exception:
        return found  # nothing is lost but a confirmation
    if mended.steps < plain.steps or not math.isfinite(mended.after):
        return found
    return with_repair(found, plain.after, mended.after, plain.steps, mend.words)


def with_repair(found: Finding, as_it_is: float, mended: float, steps: int, words: str) -> Finding:
    """The finding with the two losses, in nats a token, and a sentence on them where none says it yet."""
    gain = as_it_is - mended
    repair = {"loss_as_it_is": as_it_is, "loss_mended": mended, "gain_nats": gain, "steps": steps}
    told = found.explanation
    if words:
        what = f"gained {gain:.3f} nats" if gain > 0 else "gained nothing in so few steps"
        told += (
            f" Repair by trial: {steps} steps on one batch ended at {as_it_is:.3f} nats a token as it is, and at "
            f"{mended:.3f} when {words}, which {what}."
        )
    return replace(found, evidence={**found.evidence, "repair": repair}, explanation=told)


def course(trials: Trials, found: Finding, mend: Mend, mended: bool, steps: int, seconds: float) -> Course:
    """Learn one batch from the same weights, mended or not; both are measured by what the mended one is asked."""
    opened, begun = trials.opened, time.thread_time()
    loop = new_loop(opened)
    with remembering(loop):
        batch = loop.batch(trials.text, trials.rows, trials.length, 0)
        asked = turned(mend.asked(turned(batch, opened), found), opened)
        if mended:
            mend.prepare(loop, batch)
        before, done = trials.loss(loop, *asked), 0
        for number in range(steps):
            sow(number)
            if mended:
                mend.before(loop)
            try:
                if mended and mend.plain:
                    plain_step(loop, *asked, trials.domain)
                else:
                    loop.step(*batch)
            except Exception:
                return Course(before, trials.loss(loop, *asked), steps if not mended else done)
            done += 1
            if time.thread_time() - begun > seconds:
                break
        return Course(before, trials.loss(loop, *asked), done)


def turned(batch: Pair, opened: Opened) -> Pair:
    """A batch as `batch time`, or back again, where time comes first."""
    inputs, targets = batch
    return (inputs.t(), targets.t()) if opened.passer.layout.time_first else (inputs, targets)


def plain_step(loop: Loop, inputs: Tensor, targets: Tensor, domain: Domain) -> None:
    """The usual step: the mean cross-entropy of what the outputs are, and an update of their optimiser."""
    layout = loop.opened.passer.layout
    tokens, wanted = turned((inputs, targets), loop.opened)
    logits = read(call(loop.model, tokens, layout), len(tokens), tokens.shape[1], layout)
    if domain == "probabilities":
        logits = logits.clamp(min=1e-30).log()
    loss = standard(logits, wanted)
    zeroed(loop)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizers: list[Any] = several(loop.optimizer)
    for one in optimizers:
        one.step()
