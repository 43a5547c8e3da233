"""The list of mutations: what each puts in, the name it is to be given, the architectures where that makes sense."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mutants import (
    LAYERS,
    Defined,
    Subject,
    adam,
    batch,
    beside,
    carrying,
    greedy,
    nats,
    step,
    with_forward,
    with_logits,
    with_weights,
)

RECURRENT = ("rnn", "gru", "lstm")
EVERY = (*RECURRENT, "transformer")


def one_by_one(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
    logits, after = inner(tokens.reshape(-1, 1))
    return logits.reshape(*tokens.shape, -1), after


def rows_for_times(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
    return inner(tokens.t())[0].transpose(0, 1)


def backwards(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
    return inner(tokens.flip(1))[0].flip(1)


def ahead(logits: Tensor) -> Tensor:
    return logits + F.pad(logits[:, 1:], (0, 0, 0, 1))


def remembered(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
    kept = inner.__dict__.get("kept")
    kept = None if kept is None or len(kept[0]) != len(tokens) else kept
    logits, after = inner(tokens, kept)
    inner.__dict__["kept"] = tuple(part.detach() for part in after)
    return logits


def cut_off(inner: Any, tokens: Tensor, state: Any) -> Any:
    hidden, after = inner.hidden(tokens, state)
    return inner.logits(hidden.detach()), after


def same_layers(inner: Any) -> None:
    inner.layers = nn.ModuleList([inner.layers[0]] * LAYERS)


def weak_recurrence(inner: Any) -> None:
    for layer in inner.layers:
        layer.recurrent_weight.mul_(1e-3)


def strong_recurrence(inner: Any) -> None:
    inner.embedding.weight.mul_(1e-3)
    for layer in inner.layers:
        layer.recurrent_weight.copy_(torch.eye(len(layer.recurrent_weight)) * 1.6)


def sharp_attention(inner: Any) -> None:
    for layer in inner.layers:
        weight = layer.attention[0].query_key_value.weight
        weight[: 2 * len(weight) // 3].normal_(0, 2.0)


def loud_head(inner: Any) -> None:
    inner.output.weight.normal_(0, 5.0)


def unlisted(architecture: str) -> Defined:
    class Hidden(nn.Module):
        def __init__(self, vocab_size: int) -> None:
            super().__init__()
            self.parts = [Subject(architecture, vocab_size)]
            self.gain = nn.Parameter(torch.ones(vocab_size))

        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            logits, after = self.parts[0](tokens, state)
            return logits * self.gain, after

    return {"build_model": Hidden}


def head_only(model: Any) -> Any:
    return torch.optim.Adam(model.inner.output.parameters(), lr=3e-3)


def likely(logits: Tensor, targets: Tensor) -> Tensor:
    return -nats(logits, targets)


def halved(logits: Tensor, targets: Tensor) -> Tensor:
    half = targets.shape[1] // 2
    return nats(logits[:, :half], targets[:, :half])


def last(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits[:, -1], targets[:, -1])


def impossible(logits: Tensor, targets: Tensor) -> Tensor:
    wanted = F.one_hot(targets, logits.shape[-1])
    return -(wanted * (wanted * logits.softmax(-1)).log()).sum(-1).mean()


def stateless(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
    return inner(tokens)


def resetting(architecture: str) -> Defined:
    return {**with_forward(stateless)(architecture), "train_step": carrying(cut=True)}


Mutation = tuple[str, tuple[str, ...], Callable[[str], Defined]]
MUTATIONS: dict[str, Mutation] = {
    "probabilities": ("softmax-before-loss", EVERY, with_logits(lambda z: z.softmax(-1))),
    "softmax_in_loss": ("softmax-before-loss", EVERY, beside(compute_loss=lambda z, y: nats(z.softmax(-1), y))),
    "one_ahead": ("future-leak", EVERY, with_logits(ahead)),
    "backwards": ("future-leak", EVERY, with_forward(backwards)),
    "rows_mixed": ("batch-leak", EVERY, with_logits(lambda z: z + z.mean(0, keepdim=True))),
    "rows_for_times": ("batch-leak", EVERY, with_forward(rows_for_times)),
    "output_turned": ("time-batch-swapped", EVERY, with_logits(lambda z: z.transpose(0, 1))),
    "output_reshaped": ("time-batch-swapped", EVERY, with_logits(lambda z: z.transpose(0, 1).reshape(z.shape))),
    "one_by_one": ("no-past", EVERY, with_forward(one_by_one)),
    "blind": ("input-ignored", EVERY, with_forward(lambda inner, tokens, state: inner(tokens * 0))),
    "one_layer_unordered": (
        "no-position", ("transformer",), lambda _: {"build_model": lambda v: one_layer(v)},
    ),
    "noise": ("eval-randomness", EVERY, with_logits(lambda z: z + 0.1 * torch.randn_like(z))),
    "dropout_always": ("eval-randomness", EVERY, with_logits(lambda z: F.dropout(z, 0.1))),
    "remembered": ("state-leaks-across-calls", RECURRENT, with_forward(remembered)),
    "loud_head": ("bad-initial-loss", EVERY, with_weights(loud_head)),
    "one_more": ("vocabulary-mismatch", EVERY, with_logits(lambda z: F.pad(z, (0, 1)))),
    "one_less": ("vocabulary-mismatch", EVERY, with_logits(lambda z: z[..., :-1])),
    "cut_off": ("unreached-parameters", EVERY, with_forward(cut_off)),
    "unlisted": ("optimizer-misses-parameters", EVERY, unlisted),
    "head_only": ("optimizer-misses-parameters", EVERY, beside(build_optimizer=head_only)),
    "same_layers": ("layers-share-weights", EVERY, with_weights(same_layers)),
    "weak_recurrence": ("vanishing-gradient", ("rnn",), with_weights(weak_recurrence)),
    "strong_recurrence": ("exploding-gradient", ("rnn",), with_weights(strong_recurrence, activation="relu")),
    "sharp_attention": ("saturated-attention", ("transformer",), with_weights(sharp_attention)),
    "not_cleared": ("gradients-not-zeroed", EVERY, beside(build_optimizer=adam(3e-3), train_step=step(clear="never"))),
    "cleared_late": ("no-progress", EVERY, beside(build_optimizer=adam(3e-3), train_step=step(clear="late"))),
    "never_updated": ("no-progress", EVERY, beside(build_optimizer=adam(3e-3), train_step=step(update=False))),
    "climbing": ("no-progress", EVERY, beside(build_optimizer=adam(3e-3), train_step=step(sign=-1))),
    "climbing_loss": ("no-progress", EVERY, beside(compute_loss=likely)),
    "too_fast": ("learning-rate-too-high", EVERY, beside(build_optimizer=adam(3.0))),
    "too_slow": ("learning-rate-too-low", EVERY, beside(build_optimizer=adam(1e-9))),
    "unshifted": ("targets-not-shifted", EVERY, beside(make_batch=batch(0))),
    "two_ahead": ("targets-misaligned", EVERY, beside(make_batch=batch(2))),
    "one_behind": ("targets-misaligned", EVERY, beside(make_batch=batch(-1))),
    "half_scored": ("loss-ignores-positions", EVERY, beside(compute_loss=halved)),
    "last_scored": ("loss-ignores-positions", EVERY, beside(compute_loss=last)),
    "axes_reshaped": (
        "loss-misreads-axes", EVERY,
        beside(compute_loss=lambda z, y: F.cross_entropy(z.reshape(len(z), z.shape[2], -1), y)),
    ),
    "targets_turned": ("loss-misreads-axes", EVERY, beside(compute_loss=lambda z, y: nats(z, y.t()))),
    "summed": ("loss-not-a-mean", EVERY, beside(compute_loss=lambda z, y: nats(z, y, reduction="sum"))),
    "per_row": ("loss-not-a-mean", EVERY, beside(compute_loss=lambda z, y: nats(z, y, reduction="sum") / len(y))),
    "padded": ("padding-counted", EVERY, beside(make_batch=batch(1, pad=True))),
    "uncut": ("state-not-detached", EVERY, beside(train_step=carrying(cut=False))),
    "restarted": ("state-reset-each-window", EVERY, resetting),
    "last_token_only": (
        "generation-mismatch", EVERY,
        beside(generate=greedy(choose=lambda z: z[:, -1].argmax(-1), see=lambda tokens: tokens[:, -1:])),
    ),
    "least_likely": (
        "generation-mismatch", EVERY,
        beside(generate=greedy(choose=lambda z: z[:, -1].argmin(-1), see=lambda tokens: tokens)),
    ),
    "impossible": ("non-finite", EVERY, beside(compute_loss=impossible)),
    "not_a_number": ("non-finite", EVERY, with_logits(lambda z: torch.sqrt(z - z.amax(-1, keepdim=True) - 1))),
}  # fmt: skip


def one_layer(vocab_size: int) -> nn.Module:
    from glassloom.models import build, settings_of

    return build(settings_of("transformer")(layers=1, width=32, positions="none"), vocab_size)


def carried(architecture: str) -> Defined:
    return {**beside()(architecture), "train_step": carrying(cut=True)}


SOUND: dict[str, Callable[[str], Defined]] = {
    "alone": beside(),
    "with_loop": beside(build_optimizer=adam(3e-3), compute_loss=nats, train_step=step(), make_batch=batch(1)),
    "carried": carried,
    "generates": beside(generate=greedy(choose=lambda z: z[:, -1].argmax(-1), see=lambda tokens: tokens)),
}
"""What nothing was put into, to be called healthy."""


def mutant(architecture: str, mutation: str) -> Defined:
    """What the file of that mutant defines."""
    return (MUTATIONS[mutation][2] if mutation in MUTATIONS else SOUND[mutation])(architecture)
