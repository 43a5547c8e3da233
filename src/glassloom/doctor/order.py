"""Does the order of the past matter? The tokens before the last are shuffled, the last stays."""

import torch

from glassloom.doctor.finding import Finding
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer

EXACTLY = 1e-10
"""The share of the past's whole effect up to which, in float64, a shuffle has made no difference."""


def order_findings(opened: Opened) -> list[Finding]:
    """no-position, where shuffling the past changes nothing, exactly, in a new model and in a shaken one."""
    if opened.time < 4 or opened.square_only:
        return []
    plain = opened.passer
    measured = [shuffled(opened, plain), shuffled(opened, plain.with_(jitter=0.3, seed=1))]
    if any(by_content <= 0 or by_order > limit for by_order, by_content, limit in measured):
        return []
    by_order, by_content, _ = max(measured)
    evidence = {"change_by_order": by_order, "change_by_content": by_content, "length": opened.time}
    words = (
        f"Shuffling the {opened.time - 1} tokens before the last moved its prediction by {by_order:.1g}; replacing "
        f"them moved it by {by_content:.3g}."
    )
    return [finding("no-position", evidence, words)]


def shuffled(opened: Opened, passer: Passer) -> tuple[float, float, float]:
    """The largest change of the last logits by the order of the past, by its content, and what is rounding."""
    reader = passer.reader()
    tokens, others = opened.tokens(21), opened.tokens(22)
    others[:, -1] = tokens[:, -1]
    base = reader(tokens)[:, -1]
    content = (reader(others)[:, -1] - base).double().abs().max().item()
    largest = 0.0
    generator = torch.Generator().manual_seed(opened.subject.seed + 5)
    for _ in range(3):
        order = torch.randperm(opened.time - 1, generator=generator)
        mixed = torch.cat([tokens[:, :-1][:, order], tokens[:, -1:]], 1)
        largest = max(largest, (reader(mixed)[:, -1] - base).double().abs().max().item())
    size = base.double().abs().max().item()
    rounding = 1e-12 * size if base.dtype == torch.float64 else 2e-6 * size
    if content <= rounding:
        return largest, 0.0, rounding
    return largest, content, max(rounding, EXACTLY * content)
