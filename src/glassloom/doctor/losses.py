"""Findings on the loss, asked with logits and targets of our making."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened, works
from glassloom.doctor.scoring import Domain, Scorer, in_domain

SURE = 25.0
"""The logit of the target in perfect predictions, the others being zero."""


@dataclass(frozen=True)
class Pairing:
    """Which target each position's logits are pushed towards."""

    shift: int | None
    """Position t is paired with the target at t + shift; None where no shift explains it."""
    rate: float
    """The share of the counting positions that this shift explains."""
    same_place: float
    """The share that is paired with its own target."""
    upwards: bool
    """The loss falls when the target's logit falls: its sign is wrong."""
    ignored: list[int]
    """Positions whose logits never count, whatever their target."""
    ignored_rows: list[int]


def sizes(opened: Opened) -> tuple[int, int]:
    """Rows and positions of the targets: few enough to be all different, where the model takes so many."""
    small = (5, min(7, opened.time))
    return small if works(opened.passer.with_(exact=False), opened.tokens(2, *small)) else (opened.batch, opened.time)


def draw(opened: Opened, seed: int, batch: int, time: int) -> tuple[Tensor, Tensor]:
    """Random logits, and targets that are all different where the vocabulary allows it."""
    generator = torch.Generator().manual_seed(seed)
    width = opened.width
    classes = min(opened.subject.vocabulary, width)
    logits = torch.randn(batch, time, width, generator=generator, device="cpu")
    order = torch.randperm(classes, generator=generator, device="cpu")
    if classes >= batch * time:
        return logits, order[: batch * time].reshape(batch, time)
    return logits, torch.randint(classes, (batch, time), generator=generator, device="cpu")


def pairing(opened: Opened, score: Scorer, domain: Domain, batch: int, time: int) -> Pairing | None:
    """Read from the gradients which logits count, and towards which target they are pushed; None where none counts."""
    counts = torch.zeros(batch, time, dtype=torch.bool)
    pulled, targets_of, strength = [], [], []
    for seed in range(4):
        logits, targets = draw(opened, seed, batch, time)
        gradient = score(in_domain(logits, domain), targets).gradient.cpu().double()
        size = gradient.abs().amax(-1)
        there = size > 1e-7 * size.max().clamp(min=1e-30)
        counts |= there
        lowest, highest = gradient.argmin(-1), gradient.argmax(-1)
        pulled.append(torch.stack([lowest, highest]))
        targets_of.append(targets)
        strength.append(there)
    if not counts.any():
        return None
    rates = {}
    for sign in (0, 1):
        for shift in range(-time + 1, time):
            rates[sign, shift] = agreement(pulled, targets_of, strength, shift, sign)
    (sign, best), rate = max(rates.items(), key=lambda item: (item[1], item[0][0] == 0, -abs(item[0][1])))
    for kind in (0, 1):  # its own place, where that explains as much
        if rates[kind, 0] >= rate - 1e-9:
            sign, best = kind, 0
            break
    return Pairing(
        best if rate > 0.85 else None,
        rate,
        rates[0, 0],
        sign == 1 and rate > 0.85,
        [place for place in range(time) if not counts[:, place].any()],
        [row for row in range(batch) if not counts[row].any()],
    )


def agreement(pulled: list[Tensor], targets: list[Tensor], there: list[Tensor], shift: int, sign: int) -> float:
    """How often a counting position is pulled towards the target `shift` further on."""
    right, counted = 0, 0
    for lowest, wanted, counts in zip(pulled, targets, there, strict=True):
        time = wanted.shape[1]
        begin, end = max(0, -shift), min(time, time - shift)
        chosen = counts[:, begin:end]
        equal = lowest[sign][:, begin:end] == wanted[:, begin + shift : end + shift]
        right += int((equal & chosen).sum())
        counted += int(counts.sum())
    return right / max(counted, 1)


def loss_findings(opened: Opened, score: Scorer, domain: Domain, batch_shift: int) -> tuple[list[Finding], int | None]:
    """Findings on one way of asking the loss, and by how much it shifts the targets itself.

    `batch_shift` is the shift between inputs and targets in their batches. A loss that shifts too is sound where both
    add up to one.
    """
    batch, time = sizes(opened)
    found = pairing(opened, score, domain, batch, time)
    if found is None:
        return [], None
    findings: list[Finding] = []
    evidence: Evidence = {"paired_with_own_target": found.same_place, "positions": time, "rows": batch}
    if found.upwards:
        evidence["pushed_away_from_target"] = found.rate
        words = "The loss falls when the target's logit falls: its sign is wrong."
        return [finding("no-progress", evidence, words, "Negate the loss.")], 0
    if found.shift is None or not separable(opened, score, domain, batch, time):
        words = (
            f"Of the positions that count, {found.same_place:.0%} are pushed towards their own target."
            if found.shift != 0
            else "The gradient at one position depends on the logits of others."
        )
        return [finding("loss-misreads-axes", evidence, words)], None
    shift = found.shift
    if shift != 0 and batch_shift + shift != 1:
        evidence |= {"shift_of_batch": batch_shift, "shift_of_loss": shift, "shift_in_all": batch_shift + shift}
        name = "targets-not-shifted" if batch_shift + shift == 0 else "targets-misaligned"
        words = (
            f"The loss pairs position t with the target at t{shift:+d}, the batch with the token at t{batch_shift:+d}."
        )
        findings.append(finding(name, evidence, words, "Shift once only: in the batch or in the loss."))
    dropped = [place for place in found.ignored if 0 <= place + shift < time]
    if dropped or found.ignored_rows:
        evidence = {"ignored_positions": dropped, "ignored_rows": found.ignored_rows, "positions": time, "rows": batch}
        words = f"Of {time} positions {len(dropped)}, and of {batch} rows {len(found.ignored_rows)}, have no gradient."
        findings.append(finding("loss-ignores-positions", evidence, words))
    findings.extend(scale_findings(opened, score, domain, batch, time))
    findings.extend(doubled_softmax(opened, score, domain, batch, time, shift))
    return findings, shift


def separable(opened: Opened, score: Scorer, domain: Domain, batch: int, time: int) -> bool:
    """Whether the direction of a position's gradient stays when the other positions' logits change."""
    logits, targets = draw(opened, 7, batch, time)
    other = draw(opened, 8, batch, time)[0]
    worst = 1.0
    for place in (0, time // 2):
        changed = other.clone()
        changed[1, place] = logits[1, place]
        one = score(in_domain(logits, domain), targets).gradient[1, place].double()
        two = score(in_domain(changed, domain), targets).gradient[1, place].double()
        if one.norm() > 0 and two.norm() > 0:
            worst = min(worst, (one @ two / (one.norm() * two.norm())).item())
    return worst > 0.999


def scale_findings(opened: Opened, score: Scorer, domain: Domain, batch: int, time: int) -> list[Finding]:
    """loss-not-a-mean: the same rows twice, the same positions twice."""
    logits, targets = draw(opened, 9, batch, time)
    given = in_domain(logits, domain)
    once = score(given, targets)
    ratios = {}
    for axis, name in ((0, "batch"), (1, "length")):
        try:
            twice = score(torch.cat([given, given], axis), torch.cat([targets, targets], axis))
        except Exception:
            continue  # a loop that carries a state of so many rows
        total, before = twice.gradient.abs().sum().item(), once.gradient.abs().sum().item()
        ratios[name] = total / before if before > 0 else math.nan
    grown = {name: ratio for name, ratio in ratios.items() if not 0.7 < ratio < 1.4}
    if not grown:
        return []
    evidence = {f"ratio_at_double_{name}": round(ratio, 4) for name, ratio in ratios.items()}
    words = " ".join(f"Twice the {name} gave {ratio:.2f} times the gradient." for name, ratio in grown.items())
    return [finding("loss-not-a-mean", evidence, words)]


def doubled_softmax(opened: Opened, score: Scorer, domain: Domain, batch: int, time: int, shift: int) -> list[Finding]:
    """softmax-before-loss: perfect predictions do not cost nothing, but ln(e + V - 1) - 1."""
    logits, targets = draw(opened, 10, batch, time)
    logits = torch.zeros_like(logits)
    wanted = targets.roll(-shift, 1)
    logits.scatter_(-1, wanted.unsqueeze(-1), SURE)
    value = score(in_domain(logits, domain), targets).value
    floor = math.log(math.e + opened.width - 1) - 1
    each = value / targets.numel()  # should it be a sum instead of a mean
    if not (abs(value - floor) < 0.03 * floor or abs(each - floor) < 0.03 * floor):
        return []
    evidence = {"loss_of_perfect_predictions": value, "floor_of_doubled_softmax": floor}
    words = f"Even perfect predictions cost {value:.3f} nats: ln(e + V - 1) - 1 = {floor:.3f}."
    return [finding("softmax-before-loss", evidence, words)]
