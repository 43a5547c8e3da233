"""The loop as it runs: the probes on a few steps in their order, then the trials of learning rates."""

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor

from glassloom.doctor.carried import carried_findings
from glassloom.doctor.finding import Finding
from glassloom.doctor.language import walk
from glassloom.doctor.looping import carrying_findings, descent_findings, several_steps, zeroing_findings
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.scoring import Domain
from glassloom.doctor.steps import Step
from glassloom.doctor.trials import Trials, rate_findings

ROWS = 4
LONG_ENOUGH = 1000
"""Tokens from which on a user's text is used for steps."""
Probe = Callable[..., Any]


def running_findings(
    opened: Opened, domain: Domain, length: int, seconds: float, known: set[str], probe: Probe
) -> list[Finding]:
    """Findings on the loop; `probe` runs each and keeps what it finds."""
    rows = rows_for(opened, length)
    text = step_text(opened)
    steps, error = probe("a few steps", lambda: several_steps(opened, text, rows, length), ([], ""))
    found = list(carrying_findings(steps, error))
    found += not_finite(steps, known)
    probe("gradients of earlier steps", lambda: zeroing_findings(opened, text, rows, length))
    probe("the direction of a step", lambda: descent_findings(opened, text, rows, length))
    probe("the carried state", lambda: carried_findings(opened, text, rows, length))
    if steps and not found and seconds:
        step = sorted(one.seconds for one in steps)[len(steps) // 2]
        fits = int(seconds / 4 / max(step, 1e-4))
        count = max(12, min(80, fits))
        by_hand = any(one.moved > 0 for one in steps) and not any(one.stepped for one in steps)
        trials = Trials(opened, known_language(opened), rows, length, domain, max(seconds / 8, 1.0), count, by_hand)
        probe("learning a single batch", lambda: rate_findings(trials))
    return found


def rows_for(opened: Opened, length: int) -> int:
    """How many rows the batches of steps and trials have."""
    if opened.batch in (1, 2):
        return opened.batch
    return ROWS if not opened.square_only else length


def step_text(opened: Opened) -> Tensor:
    """The text that steps are taken on and mends are tried on: the user's, where it is long enough and can be given."""
    subject = opened.subject
    if subject.own_text and len(subject.text) >= LONG_ENOUGH and int(subject.text.max()) < opened.known:
        return subject.text
    return known_language(opened)


def known_language(opened: Opened) -> Tensor:
    """The text of the trials of rates, a language so simple that every sound model makes progress on it at once.

    A user's text is none for them: in so few steps a sound model gets little beyond its symbols' frequencies, and so
    does one whose rate is ten times too high.
    """
    return walk(opened.known, 4000, opened.subject.seed)


def not_finite(steps: list[Step], known: set[str]) -> list[Finding]:
    """non-finite, where the first step's loss or gradient is no number though the model's logits are."""
    if not steps or "non-finite" in known:
        return []
    first = steps[0]
    bad = [grad for grad in first.gradients if grad is not None and not bool(grad.isfinite().all())]
    if math.isfinite(first.loss) and not bad:
        return []
    evidence = {"loss": first.loss if math.isfinite(first.loss) else str(first.loss), "gradients_not_finite": len(bad)}
    words = f"The first step's loss was {first.loss}, and {len(bad)} tensors had gradients that are not finite."
    return [finding("non-finite", evidence, words)]
