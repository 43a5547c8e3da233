"""Trials, where no exact probe exists: one batch is learned at their rate and, should that fail, at others."""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.guarded import sow
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import call, read
from glassloom.doctor.schedules import LEAST, UNIT, WARM_UP, at_another_rate, rising, stretch
from glassloom.doctor.scoring import Domain
from glassloom.doctor.steps import Loop, new_loop, rates_of, remembering

STEPS = 80
BATCHES = 4
"""How many batches a trial goes through, again and again: few, so that they can be learned."""
LOWER = (0.1, 0.01, 0.001)
HIGHER = (10.0, 100.0, 1e3, 1e4, 1e5)
"""Factors on a rate that is not known, because it stands in the step itself."""
USUAL_LOWER, USUAL_HIGHER = (1e-2, 1e-3), (1e-2, 1e-1, 1e-3, 1.0)
"""Rates that are usual: what is tried where theirs is known."""
STILL = 0.02
"""A loss that has fallen by less than this share of itself has hardly moved."""
SOLVED = 0.25
"""A loss below this share of the entropy of the single tokens leaves no question open."""
LEARNED = 0.3
"""A loss that has fallen by this share is being learned."""


@dataclass(frozen=True)
class Trial:
    """One batch, so many steps, one factor on the learning rate."""

    factor: float
    before: float
    after: float
    steps: int

    @property
    def fallen(self) -> float:
        """By which share of itself the loss fell; minus infinity where it is no number any more."""
        return (self.before - self.after) / self.before if math.isfinite(self.after) else -math.inf


@dataclass
class Trials:
    """Runs trials within a time that all of them share."""

    opened: Opened
    text: Tensor
    rows: int
    length: int
    domain: Domain
    seconds: float
    steps: int = STEPS
    by_hand: bool = False
    """Their step does not use the optimiser: another rate is tried by stretching its updates."""
    fixed: bool = False
    """The other rates are multiples of the first, whatever a schedule makes of it."""
    say: Callable[[str], None] = lambda text: None

    def run(self, factor: float) -> Trial:
        """Train a new model on one batch, with their rate times `factor` (or `factor` itself, where theirs is zero)."""
        loop = new_loop(self.opened)
        begun = time.thread_time()
        with remembering(loop):
            batches = [loop.batch(self.text, self.rows, self.length, seed) for seed in range(BATCHES)]
            rescale = not at_another_rate(loop, factor, self.fixed) or self.by_hand
            before = self.losses(loop, batches)
            values, done = [before], 0
            for number in range(self.steps):
                sow(number)
                old = [value.detach().clone() for value in loop.model.parameters()] if rescale and factor != 1 else []
                try:
                    loop.step(*batches[number % BATCHES])
                except Exception:
                    return Trial(factor, before, math.nan if number > 2 else before, number)
                if old:
                    stretch(loop, old, factor)
                done = number + 1
                if number >= self.steps - 12 and number % 4 == 3:
                    values.append(self.losses(loop, batches))
                elif number % 16 == 15:
                    now = self.losses(loop, batches)
                    if not math.isfinite(now):
                        return Trial(factor, before, now, done)
                    if time.thread_time() - begun > 3 * self.seconds:
                        values.append(now)
                        break
        late = sorted(values[1:]) or [self.losses(loop, batches)]
        after = late[len(late) // 2] if all(math.isfinite(value) for value in late) else math.nan
        return Trial(factor, before, after, done)

    def losses(self, loop: Loop, batches: list[tuple[Tensor, Tensor]]) -> float:
        """The mean loss of the first two batches."""
        return sum(self.loss(loop, *batch) for batch in batches[:2]) / 2

    def loss(self, loop: Loop, inputs: Tensor, targets: Tensor) -> float:
        """The cross-entropy with their targets in eval mode; targets outside the vocabulary do not count."""
        layout = self.opened.passer.layout
        training = loop.model.training
        loop.model.eval()
        tokens = inputs.t() if layout.time_first else inputs
        with torch.no_grad():
            logits = read(call(loop.model, tokens, layout), len(tokens), tokens.shape[1], layout).double()
        loop.model.train(training)
        wanted = (targets.t() if layout.time_first else targets).to(logits.device)
        if layout.last_only:
            wanted = wanted[:, -1:]
        logs = logits.clamp(min=1e-30).log() if self.domain == "probabilities" else logits.log_softmax(-1)
        counted = (wanted >= 0) & (wanted < logs.shape[-1])
        nats = -logs.gather(-1, wanted.clamp(0, logs.shape[-1] - 1).unsqueeze(-1)).squeeze(-1)
        return nats[counted].mean().item()


def unigram(targets: Tensor) -> float:
    """The entropy of the targets' own frequencies, in nats."""
    counts = Counter(value for value in targets.flatten().tolist() if value >= 0)
    total = max(sum(counts.values()), 1)
    return -sum(count / total * math.log(count / total) for count in counts.values())


def rate_findings(trials: Trials) -> list[Finding]:
    """learning-rate-too-high, learning-rate-too-low, and no-progress by trial."""
    own = trials.run(1.0)
    loop = new_loop(trials.opened)
    with remembering(loop):
        entropy = unigram(loop.batch(trials.text, trials.rows, trials.length, 0)[1])
    ours = trials.opened.subject.build_optimizer is None and trials.opened.subject.train_step is None
    rates = rates_of(loop.optimizer)
    evidence: Evidence = {"loss_before": own.before, "loss_at_its_rate": own.after, "steps": own.steps}
    if rates:
        evidence["rate"] = max(rates)
    if own.before < 0.15 * math.log(max(trials.opened.subject.vocabulary, 3)) or own.after < SOLVED * entropy:
        return []
    tried = [own]
    if own.fallen < LEARNED or own.after > SOLVED * entropy:
        for factor in lower(rates, trials.by_hand):
            trials.say(f"a trial at {factor:g} times the learning rate")
            tried.append(trials.run(factor))
            if better(tried[-1], own):
                break
    best = max(tried, key=lambda one: one.fallen)
    if best is not own and better(best, own) and not ours:
        return [told("learning-rate-too-high", best, evidence)]
    if own.fallen >= STILL:
        return []
    risen = rising(trials.opened, [loop.batch(trials.text, trials.rows, trials.length, n) for n in range(4)])
    if risen and max(rates) + WARM_UP * risen > LEAST:
        return []
    trials = replace(trials, fixed=risen > 0)
    for factor in higher(rates, trials.by_hand):
        trials.say(f"a trial at {factor:g} times the learning rate")
        tried.append(trials.run(factor))
        if tried[-1].fallen > LEARNED:
            break
    best = max(tried, key=lambda one: one.fallen)
    if best.fallen > LEARNED and best.factor > 1:
        return [] if ours else [told("learning-rate-too-low", best, evidence)]
    if best.fallen < 0.05:
        evidence |= {"factors": [one.factor for one in tried], "losses": [one.after for one in tried]}
        words = f"Of {len(tried)} rates none lowered the loss of a single batch by more than {max(best.fallen, 0):.1%}."
        return [finding("no-progress", evidence, words)]
    return []


def lower(rates: list[float], by_hand: bool) -> list[float]:
    """Factors below one, the mildest first: tenths, and what makes a rate usual."""
    known = max(rates, default=0.0) if not by_hand else 0.0
    usual = [rate / known for rate in USUAL_LOWER] if known else [LOWER[-1]]
    return sorted({factor for factor in (*LOWER[:2], *usual) if factor < 0.5}, reverse=True)


def higher(rates: list[float], by_hand: bool) -> list[float]:
    """Factors above one: those that make a rate usual, where it is known; a rate of zero is set instead."""
    if not rates or by_hand:
        return list(HIGHER)
    if not max(rates):
        return [1e2, 1e3, 10.0, 1e4]
    return [rate / max(rates) for rate in USUAL_HIGHER if rate / max(rates) > 3]


def better(lower: Trial, own: Trial) -> bool:
    """Whether a lower rate learns what the own one does not."""
    if lower.fallen < LEARNED:
        return False
    return not math.isfinite(own.after) or lower.after < 0.6 * own.after


def told(name: str, best: Trial, evidence: Evidence) -> Finding:
    """The finding on the rate, with the rate that works."""
    evidence = {**evidence, "factor": best.factor, "loss_at_that_rate": best.after}
    rate = evidence.get("rate")
    which = f"{best.factor:g} times the rate"
    if rate is not None:
        evidence["rate_that_learns"] = best.factor * (rate or UNIT)
        which = f"a rate of {evidence['rate_that_learns']:.3g} instead of {rate:.3g}"
    words = (
        f"In {best.steps} steps on one batch the loss went from {evidence['loss_before']:.3f} to "
        f"{evidence['loss_at_its_rate']:.3f}; with {which} it went to {best.after:.3f}."
    )
    return finding(name, evidence, words)
