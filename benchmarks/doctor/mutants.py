"""Faults put into our own architectures, each by a few lines that know nothing of how the model is written.

A mutant is a file that says `globals().update(mutant(ARCHITECTURE, MUTATION))`: it defines what a user's file defines.
Mutations act on the model from outside (its tokens, logits, state, weights), on the loss, or on the loop.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from glassloom.models import build, settings_of

Defined = dict[str, Any]
WIDTH, LAYERS = 32, 2


class Subject(nn.Module):
    """One of our models, and a place for a fault on either side of it."""

    def __init__(self, architecture: str, vocab_size: int, **settings: Any) -> None:
        super().__init__()
        self.inner = build(settings_of(architecture)(layers=LAYERS, width=WIDTH, **settings), vocab_size)

    def forward(self, tokens: Tensor, state: Any = None) -> Any:
        return self.inner(tokens, state)


def with_forward(forward: Callable[..., Any], **settings: Any) -> Callable[[str], Defined]:
    """A model whose forward pass is another: `forward(inner, tokens, state)`."""

    class Changed(Subject):
        def forward(self, tokens: Tensor, state: Any = None) -> Any:
            return forward(self.inner, tokens, state)

    return lambda architecture: {"build_model": lambda vocab_size: Changed(architecture, vocab_size, **settings)}


def with_weights(change: Callable[[nn.Module], None], **settings: Any) -> Callable[[str], Defined]:
    """A model whose weights are changed before it is handed over."""

    def defined(architecture: str) -> Defined:
        def build_model(vocab_size: int) -> nn.Module:
            model = Subject(architecture, vocab_size, **settings)
            with torch.no_grad():
                change(model.inner)
            return model

        return {"build_model": build_model}

    return defined


def with_logits(change: Callable[[Tensor], Tensor], **settings: Any) -> Callable[[str], Defined]:
    """A model whose logits are changed on their way out."""

    def forward(inner: nn.Module, tokens: Tensor, state: Any) -> Any:
        logits, after = inner(tokens, state)
        return change(logits), after

    return with_forward(forward, **settings)


def beside(**more: Callable[..., Any]) -> Callable[[str], Defined]:
    """The sound model, with functions of the user's beside it."""
    return lambda architecture: {"build_model": lambda vocab_size: Subject(architecture, vocab_size), **more}


def nats(logits: Tensor, targets: Tensor, **more: Any) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), **more)


def adam(rate: float) -> Callable[[nn.Module], Any]:
    return lambda model: torch.optim.Adam(model.parameters(), lr=rate)


def step(*, clear: str = "before", sign: int = 1, update: bool = True) -> Callable[..., Any]:
    """A training step that clears the gradients before it, never, or just before the update."""

    def train_step(model: nn.Module, optimizer: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        model.train()
        if clear == "before":
            optimizer.zero_grad()
        loss = nats(model(inputs)[0], targets)
        (sign * loss).backward()
        if clear == "late":
            optimizer.zero_grad()
        if update:
            optimizer.step()
        return loss.detach()

    return train_step


def carrying(*, cut: bool) -> Callable[..., Any]:
    """A step that carries the state on: cut from its graph or not."""

    def train_step(model: nn.Module, optimizer: Any, inputs: Tensor, targets: Tensor) -> Tensor:
        state = getattr(model, "carried", None)
        if state is not None and len(state[0]) != len(inputs):
            state = None
        if state is not None and cut:
            state = tuple(part.detach() for part in state)
        optimizer.zero_grad()
        logits, model.carried = model(inputs, state)
        loss = nats(logits, targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return train_step


def batch(shift: int, pad: bool = False) -> Callable[..., Any]:
    """Random windows whose targets are so many tokens ahead; padded: the ends of rows are zeros, in targets too."""

    def make_batch(tokens: Tensor, batch_size: int, length: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        starts = torch.randint(2, len(tokens) - length - 2, (batch_size, 1), generator=generator)
        at = starts + torch.arange(length)
        inputs, targets = tokens[at], tokens[at + shift]
        if pad:
            lengths = torch.randint(length // 2, length + 1, (batch_size, 1), generator=generator)
            beyond = torch.arange(length) >= lengths
            inputs, targets = inputs.masked_fill(beyond, 0), targets.masked_fill(beyond, 0)
        return inputs, targets

    return make_batch


def greedy(*, choose: Callable[[Tensor], Tensor], see: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """Greedy decoding that sees some of the tokens and chooses by some of the logits."""

    @torch.no_grad()
    def generate(model: nn.Module, prompt: Tensor, length: int) -> Tensor:
        tokens = prompt
        for _ in range(length):
            tokens = torch.cat([tokens, choose(model.eval()(see(tokens))[0])[:, None]], 1)
        return tokens

    return generate
