"""Findings on `make_batch`, and the batches of whatever loop there is."""

import itertools
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.guarded import sow
from glassloom.doctor.language import windows
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.subject import Subject, accepts
from glassloom.doctor.watching import forgetting

START = 1000
"""The first number of the counting text, in which no number occurs twice."""


@dataclass(frozen=True)
class Alignment:
    """By how much the targets run ahead of the inputs, as `make_batch` makes them."""

    shift: int
    """The shift of most entries; 1 without a `make_batch`."""
    wrong: float = 0.0
    """The share of the entries that are shifted otherwise, padding left aside."""
    wrong_places: tuple[int, ...] = ()
    """Positions that are always shifted otherwise."""
    padding: tuple[int, ...] = ()
    """Values that fill up the ends of target rows and do not come from the text."""
    works: bool = True


def made(subject: Subject, text: Tensor, batch: int, length: int, seed: int) -> tuple[Tensor, Tensor]:
    """A batch by their `make_batch`, as it comes, or ours (`time batch` where time comes first)."""
    if subject.make_batch is None:
        inputs, targets = windows(text, batch, length, seed)
        return (inputs.t().contiguous(), targets.t().contiguous()) if subject.time_first else (inputs, targets)
    sow(seed)
    generator = torch.Generator().manual_seed(seed)
    arguments = [text, batch, length, generator]
    if not accepts(subject.make_batch, 4):
        arguments = arguments[:3]
    found = subject.make_batch(*arguments)
    return found[0], found[1]


def alignment(opened: Opened, length: int) -> Alignment:
    """Batches from a text that counts: each number tells where it stood."""
    subject = opened.subject
    if subject.make_batch is None:
        return Alignment(1)
    batch = opened.batch if opened.batch > 1 else 4
    text = torch.arange(START, START + 4000)
    pairs = []
    with forgetting([subject.make_batch]):
        for seed in range(3):
            try:
                pairs.append(made(subject, text, batch, length, seed))
            except Exception:
                break
    if not pairs or any(one.shape != other.shape or one.ndim != 2 for one, other in pairs):
        return by_agreement(opened, batch, length)
    if subject.time_first or (pairs[0][0].shape == (length, batch) and length != batch):
        pairs = [(one.t(), other.t()) for one, other in pairs]
    return counted(pairs, text)


def counted(pairs: list[tuple[Tensor, Tensor]], text: Tensor) -> Alignment:
    """The alignment, from batches of the counting text."""
    first, last = int(text[0]), int(text[-1])
    shifts: Counter[int] = Counter()
    wrong_at: Counter[int] = Counter()
    seen_at: Counter[int] = Counter()
    offsets = []
    for inputs, targets in pairs:
        real = (targets >= first) & (targets <= last) & (inputs >= first) & (inputs <= last)
        offset = (targets - inputs).long().cpu()
        offsets.append((offset, real.cpu()))
        shifts.update(offset[real.cpu()].tolist())
    if not shifts:
        return Alignment(1, works=False)
    shift = shifts.most_common(1)[0][0]
    for offset, real in offsets:
        for place in range(offset.shape[1]):
            seen_at[place] += int(real[:, place].sum())
            wrong_at[place] += int((real & (offset != shift))[:, place].sum())
    total = sum(seen_at.values())
    wrong = sum(wrong_at.values()) / max(total, 1)
    always = tuple(place for place in seen_at if seen_at[place] and wrong_at[place] == seen_at[place])
    return Alignment(shift, wrong, always, padding_of(pairs, first, last))


def padding_of(pairs: list[tuple[Tensor, Tensor]], first: int, last: int) -> tuple[int, ...]:
    """Foreign values of which two and more stand in a row at the end of a row of targets."""
    found: set[int] = set()
    for _, targets in pairs:
        for row in targets.tolist():
            tail = row[-1]
            if not first <= tail <= last and len(row) > 1 and row[-2] == tail:
                found.add(int(tail))
    return tuple(sorted(found))


def by_agreement(opened: Opened, batch: int, length: int) -> Alignment:
    """The alignment on a random text, for a `make_batch` that does not take numbers beyond the vocabulary."""
    subject = opened.subject
    text = opened.tokens(51, 1, 4000)[0]
    agreeing: Counter[int] = Counter()
    total = 0
    with forgetting([subject.make_batch]):
        try:
            for seed in range(3):
                inputs, targets = made(subject, text, batch, length, seed)
                if inputs.shape != targets.shape or inputs.ndim != 2:
                    return Alignment(1, works=False)
                if subject.time_first:
                    inputs, targets = inputs.t(), targets.t()
                total += inputs.numel()
                for shift in range(-4, 5):
                    left = inputs[:, max(0, shift) : inputs.shape[1] + min(0, shift)]
                    right = targets[:, max(0, -shift) : targets.shape[1] - max(0, shift)]
                    agreeing[shift] += int((left == right).sum() * inputs.shape[1] / left.shape[1])
        except Exception:
            return Alignment(1, works=False)
    shift, count = agreeing.most_common(1)[0]
    return Alignment(shift, 1 - count / total) if count > 0.9 * total else Alignment(0, 1.0)


def follow_each_other(opened: Opened, rows: int, length: int) -> bool:
    """Whether each row of a batch goes on where it ended in the batch before, on a text that counts."""
    subject = opened.subject
    if subject.make_batch is None:
        return False
    text = torch.arange(START, START + 4000)
    going_on = []
    with forgetting([subject.make_batch]):
        try:
            batches = [made(subject, text, rows, length, seed)[0] for seed in range(4)]
        except Exception:
            return False
    for one, two in itertools.pairwise(batches):
        if one.shape != two.shape or one.ndim != 2:
            return False
        if subject.time_first or (one.shape == (length, rows) and length != rows):
            one, two = one.t(), two.t()
        going_on.append((two[:, 0] - one[:, -1] == 1).float().mean().item())
    return min(going_on) > 0.8


def batch_findings(found: Alignment, loss_shift: int) -> list[Finding]:
    """targets-not-shifted and targets-misaligned, for a loss that shifts by `loss_shift` itself."""
    if not found.works:
        return []
    evidence: Evidence = {"shift_of_batch": found.shift, "shift_of_loss": loss_shift, "otherwise": found.wrong}
    shift = found.shift + loss_shift
    if found.wrong > 0.3:
        words = f"{found.wrong:.0%} of the targets are no neighbour of their input: they come from somewhere else."
        return [finding("targets-misaligned", evidence, words)]
    if shift == 0:
        return [finding("targets-not-shifted", evidence, "On a text that counts, every target equals its input.")]
    if shift != 1:
        words = f"On a text that counts, the target at each position is the token {shift} ahead of the input."
        return [finding("targets-misaligned", evidence, words)]
    if found.wrong_places and found.wrong:
        evidence["positions"] = list(found.wrong_places)
        words = f"At positions {list(found.wrong_places)} of every row the target is not the next token of the text."
        return [finding("targets-misaligned", evidence, words, severity="serious")]
    return []


def padding_findings(counts: dict[int, float]) -> list[Finding]:
    """padding-counted: `counts` says for each value of padding how large its gradient is beside other targets'."""
    counted_values = {value: size for value, size in counts.items() if size > 1e-6}
    if not counted_values:
        return []
    value, size = max(counted_values.items(), key=lambda item: item[1])
    evidence = {"padding": value, "gradient_beside_real_targets": size}
    words = f"Rows are filled up with {value}, and a target of {value} has {size:.2f} times the gradient of a real one."
    return [finding("padding-counted", evidence, words)]
