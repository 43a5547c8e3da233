"""The loss as a whole: both ways of asking it, softmax in the model, and padding."""

import contextlib
from typing import Any

import torch
from torch import Tensor

from glassloom.doctor.batches import Alignment, made, padding_findings
from glassloom.doctor.finding import Finding
from glassloom.doctor.losses import draw, loss_findings, sizes
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import call, read
from glassloom.doctor.scoring import Domain, Scorer, by_function, by_step, in_domain, standard
from glassloom.doctor.steps import Loop, noted, optimizer_for, remembering
from glassloom.doctor.unheard import unheard_findings


def scorers(opened: Opened) -> dict[str, Scorer]:
    """The ways of asking their loss that work: through the `step`, and as the `function` that it is."""
    ways = {"step": by_step(opened, lambda model: optimizer_for(opened, model)), "function": by_function(opened)}
    working = {}
    for name, score in ways.items():
        if score is None:
            continue
        try:
            score(*draw(opened, 3, *sizes(opened)))
        except Exception:
            continue
        working[name] = score
    return working


def loss_part_findings(opened: Opened, domain: Domain, aligned: Alignment, length: int) -> tuple[list[Finding], int]:
    """Findings on the loss, and by how much it shifts the targets."""
    if opened.passer.layout.last_only:
        return [], 0
    findings: list[Finding] = []
    shift = 0
    ways = scorers(opened)
    for score in ways.values():
        try:
            found, shifted = loss_findings(opened, score, domain, aligned.shift)
        except Exception:
            continue
        findings.extend(found)
        shift = shifted if shifted is not None else shift
    if domain == "probabilities" and not ways and not takes_logarithm(opened):
        floor = standard_floor(opened)
        words = f"Every row of the outputs adds up to one. Perfect predictions would still cost {floor:.3f} nats."
        evidence = {"row_sum": 1.0, "floor_of_doubled_softmax": floor}
        findings.append(finding("softmax-before-loss", evidence, words))
    if "step" not in ways:
        with contextlib.suppress(Exception):  # a step that takes no batches of our making
            findings.extend(unheard_findings(opened, aligned.shift))
    for score in ways.values():
        if aligned.padding:
            counts = padding_counts(opened, score, domain, aligned, length)
            findings.extend(padding_findings(counts))
    return findings, shift


def takes_logarithm(opened: Opened) -> bool:
    """Whether a step that never calls `forward` goes down the probabilities' own logarithm: it knows the logits.

    On shaken models, which are sure of something, its loss is nearer to that than to a second softmax's.
    """
    if opened.subject.train_step is None:
        return False
    layout, apart = opened.passer.layout, [0.0, 0.0]
    for seed in range(3):
        model = opened.passer.with_(exact=False, seed=seed, jitter=1.0).model()
        inputs, targets = (opened.tokens(number + seed, *sizes(opened)) for number in (95, 98))
        with torch.no_grad():
            outputs = read(call(model, inputs, layout), len(inputs), inputs.shape[1], layout)
        loop = Loop(opened, model.train(), optimizer_for(opened, model))
        given = (inputs.t(), targets.t()) if layout.time_first else (inputs, targets)
        try:
            with remembering(loop):
                loss = noted(loop, given[0], given[1], seed).loss
        except Exception:
            return False
        for number, logits in enumerate((outputs.clamp(min=1e-30).log(), outputs)):
            apart[number] += abs(loss - standard(logits, targets).item())
    return apart[0] < apart[1]


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
