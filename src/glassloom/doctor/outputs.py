"""Findings on the logits as they come out of a new model: their axis, their size, what they add up to."""

import math

import torch
from torch import Tensor

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.language import windows
from glassloom.doctor.names import finding
from glassloom.doctor.opening import Opened
from glassloom.doctor.passes import Passer
from glassloom.doctor.scoring import Domain


def domain_of(opened: Opened) -> Domain:
    """What the outputs are: probabilities, their logarithms, or logits; measured on a new and on a shaken model."""
    kinds = {kind_of(opened, opened.passer), kind_of(opened, opened.passer.with_(jitter=0.3, seed=1))}
    return kinds.pop() if len(kinds) == 1 else "logits"


def kind_of(opened: Opened, passer: Passer) -> Domain:
    """What one model's outputs are."""
    logits = passer.reader()(opened.tokens(61)).double()
    exact = 1e-6 if logits.dtype == torch.float64 and passer.exact else 2e-2
    if not torch.isfinite(logits).any() or logits.shape[-1] < 2:
        return "logits"
    if logits.min() >= 0 and (logits.sum(-1) - 1).abs().max() < exact:
        return "probabilities"
    total = logits.logsumexp(-1)
    spread = logits.amax(-1) - logits.amin(-1)
    if total.abs().max() < exact and spread.max() > 0:
        return "log-probabilities"
    return "logits"


def width_findings(opened: Opened) -> list[Finding]:
    """vocabulary-mismatch: the last axis has another size, or some token cannot be given."""
    vocabulary = opened.subject.vocabulary
    if opened.passer.layout.channels:
        evidence: Evidence = {"last_axis": opened.time, "vocabulary": vocabulary, "middle_axis": opened.width}
        words = f"The logits come as batch, {opened.width}, time: the vocabulary is the middle axis."
        return [finding("vocabulary-mismatch", evidence, words, "Transpose the last two axes.")]
    if opened.width != vocabulary:
        evidence = {"last_axis": opened.width, "vocabulary": vocabulary}
        words = f"The model was built for {vocabulary} tokens and gives {opened.width} logits a position."
        return [finding("vocabulary-mismatch", evidence, words)]
    if opened.known < vocabulary:
        evidence = {"last_axis": opened.width, "vocabulary": vocabulary, "tokens_accepted_below": opened.known}
        words = f"Built for {vocabulary} tokens, the model fails on token {vocabulary - 1}."
        return [finding("vocabulary-mismatch", evidence, words, "Give the embedding vocab_size rows.")]
    return []


def finite_findings(opened: Opened) -> list[Finding]:
    """non-finite: not-a-number or infinity in a new model's logits, on random tokens in eval and in training mode."""
    for training in (False, True):
        passer = opened.passer.with_(exact=False, training=training)
        for length in dict.fromkeys((opened.time, opened.long)):
            logits = passer.reader()(opened.tokens(62, time=length)).double()
            bad = ~torch.isfinite(logits)
            bad &= ~((logits == -math.inf) & (logits == -math.inf).all(0, keepdim=True).all(1, keepdim=True))
            if bad.any():
                places = sorted(set(bad.any(-1).nonzero()[:, -1].tolist()))
                evidence = {"share": bad.double().mean().item(), "positions": places[:32], "length": length}
                words = f"Of a new model's logits {evidence['share']:.1%} are not finite."
                return [finding("non-finite", evidence, words)]
    return []


def initial_findings(opened: Opened, domain: Domain, theirs: list[tuple[Tensor, Tensor]]) -> list[Finding]:
    """bad-initial-loss: on i.i.d. random tokens nobody beats ln V, and a new model should cost about as much.

    A model that was trained before is sure of itself where it knows the text: so the loss must be far above ln V on
    random tokens, on the text, and on their own batches alike.
    """
    if opened.passer.layout.last_only or domain == "probabilities":
        return []
    passer = opened.passer.with_(exact=False)
    uniform = math.log(opened.subject.vocabulary)
    losses = []
    random = opened.tokens(63), opened.tokens(64)
    batches = [("random_tokens", random)]
    if len(opened.subject.text) and not opened.square_only:
        batches.append(("text", windows(opened.subject.text.remainder(opened.known), opened.batch, opened.time, 1)))
    batches += [("their_batch", pair) for pair in theirs]
    evidence: Evidence = {"ln_V": uniform}
    for name, (inputs, targets) in batches:
        for seed in (0, 1):
            try:
                logits = passer.with_(seed=seed).reader()(inputs).double().cpu()
            except Exception:
                continue
            if targets.max() >= logits.shape[-1] or targets.min() < 0:
                continue
            nats = -logits.log_softmax(-1).gather(-1, targets.unsqueeze(-1)).mean().item()
            losses.append(nats)
            evidence[f"loss_on_{name}"] = nats
    if not losses or not math.isfinite(max(losses)) or min(losses) < uniform + max(2.0, 0.5 * uniform):
        return []
    words = f"Before training the loss is {min(losses):.2f} nats or more, and ln V is {uniform:.2f}."
    return [finding("bad-initial-loss", evidence, words)]
