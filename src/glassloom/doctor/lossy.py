"""The loss as a whole: both ways of asking it, softmax in the model, and padding."""

from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.batches import Alignment, made, padding_findings
from glassloom.doctor.finding import Finding
from glassloom.doctor.losses import draw, loss_findings, sizes
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.scoring import Domain, Scorer, by_function, by_step, in_domain
from glassloom.doctor.steps import optimizer_for


def scorers(opened: Opened) -> list[Scorer]:
    """The ways of asking their loss that work."""
    ways = [by_step(opened, lambda model: optimizer_for(opened, model)), by_function(opened)]
    working = []
    for score in ways:
        if score is None:
            continue
        try:
            score(*draw(opened, 3, *sizes(opened)))
        except Exception:
            continue
        working.append(score)
    return working


def loss_part_findings(opened: Opened, domain: Domain, aligned: Alignment, length: int) -> tuple[list[Finding], int]:
    """Findings on the loss, and by how much it shifts the targets."""
    if opened.passer.layout.last_only:
        return [], 0
    findings: list[Finding] = []
    shift = 0
    ways = scorers(opened)
    for score in ways:
        try:
            found, shifted = loss_findings(opened, score, domain, aligned.shift)
        except Exception:
            continue
        findings.extend(found)
        shift = shifted if shifted is not None else shift
    if domain == "probabilities" and not ways:
        floor = standard_floor(opened)
        words = f"Every row of the outputs adds up to one. Perfect predictions would still cost {floor:.3f} nats."
        evidence = {"row_sum": 1.0, "floor_of_doubled_softmax": floor}
        findings.append(finding("softmax-before-loss", evidence, words))
    for score in ways:
        if aligned.padding:
            counts = padding_counts(opened, score, domain, aligned, length)
            findings.extend(padding_findings(counts))
    return findings, shift


def standard_floor(opened: Opened) -> float:
    """The least that a doubled softmax can cost."""
    import math

    return math.log(math.e + opened.width - 1) - 1


def padding_counts(opened: Opened, score: Scorer, domain: Domain, aligned: Alignment, length: int) -> dict[int, float]:
    """For each padding value: the size of the gradient at such targets beside that at real ones."""
    generator = torch.Generator().manual_seed(5)
    targets = their_padded(opened, aligned, length)[1]
    logits = torch.randn(*targets.shape, opened.width, generator=generator, device="cpu")
    gradient = score(in_domain(logits, domain), targets).gradient.abs().sum(-1).cpu()
    counts = {}
    for value in aligned.padding:
        tail = tail_of(targets, value)
        real = ~tail & (targets >= 0)
        if tail.any() and real.any():
            counts[value] = (gradient[tail].mean() / gradient[real].mean().clamp(min=1e-30)).item()
    return counts


def tail_of(targets: Tensor, value: int) -> Tensor:
    """Where a value fills up the ends of rows."""
    equal = (targets == value).flip(1).long().cumprod(1).flip(1).bool()
    return equal & (equal.sum(1, keepdim=True) > 1)


def their_padded(opened: Opened, aligned: Alignment, length: int) -> tuple[Tensor, Tensor]:
    """A batch of theirs from a text in which the padding values do not occur."""
    free = [value for value in range(opened.known) if value not in aligned.padding]
    text = torch.tensor(free)[torch.randint(len(free), (4000,), generator=torch.Generator().manual_seed(3))]
    found: Any = made(opened.subject, text, max(opened.batch, 4), length, 1)
    inputs, targets = found
    return (inputs.t(), targets.t()) if opened.subject.time_first else (inputs, targets)
