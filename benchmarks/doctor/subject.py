"""A case as Python: its model, and its own loop where it has one, a plain one where not. The doctor has no part."""

import contextlib
import io
import os
import runpy
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from listed import Case

BATCH, LENGTH = 8, 16
RATE = 3e-3


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """What a case prints is not shown, and where it goes it does not take us."""
    here, threads = os.getcwd(), torch.get_num_threads()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        os.chdir(here)
        torch.set_num_threads(threads)


def first(output: Any) -> Tensor:
    """The logits of an output: itself, the first of several, or what is called so."""
    if isinstance(output, dict):
        output = output["logits"]
    logits: Tensor = output[0] if isinstance(output, tuple) else output
    return logits


@dataclass
class Subject:
    """A case loaded, on a text's tokens; tensors are `batch time`, whatever the case takes."""

    case: Case
    tokens: Tensor
    vocab: int
    warm: int = 0
    """Steps of its own that a model has behind it before it is looked at: heads that start at zero hide all else."""

    def __post_init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder, undisturbed():
            file = Path(folder) / "model.py"
            file.write_text(self.case.source, encoding="utf-8")
            self.own = runpy.run_path(str(file))
        self.turned = "--time-first" in self.case.flags
        pairs = [flag for before, flag in zip(self.case.flags, self.case.flags[1:], strict=False) if before == "--set"]
        self.given = dict(pair.split("=") for pair in pairs)

    def turn(self, value: Tensor) -> Tensor:
        """Between `batch time` and what the case takes."""
        return value.transpose(0, 1) if self.turned else value

    def model(self, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        with undisturbed():
            built: nn.Module = self.own[self.case.builder or "build_model"](self.vocab, **self.given)
        return self.taught(built, self.warm, seed)

    def taught(self, model: nn.Module, steps: int, seed: int = 0) -> nn.Module:
        """The model after so many steps of its own loop."""
        optimizer, generator = self.optimizer(model), torch.Generator().manual_seed(seed)
        for _ in range(steps):
            self.step(model, optimizer, *self.batch(generator))
        return model

    def logits(self, model: nn.Module, x: Tensor, *state: Any) -> Tensor:
        return self.turn(first(model(self.turn(x), *state)))

    def loss(self, logits: Tensor, y: Tensor) -> Tensor:
        own = self.own.get("compute_loss")
        if own:
            return torch.as_tensor(own(self.turn(logits), self.turn(y)))
        return F.cross_entropy(logits.flatten(0, 1).float(), y.flatten())

    def optimizer(self, model: nn.Module) -> Any:
        own = self.own.get("build_optimizer")
        if own:
            with undisturbed():
                return own(model)
        return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE)

    def batch(self, generator: torch.Generator, size: int = BATCH, length: int = LENGTH) -> tuple[Tensor, Tensor]:
        own = self.own.get("make_batch")
        if own:
            x, y = own(self.tokens, size, length, generator)
            return (x.transpose(0, 1), y.transpose(0, 1)) if self.turned else (x, y)
        starts = torch.randint(0, len(self.tokens) - length - 1, (size, 1), generator=generator)
        rows = self.tokens[starts + torch.arange(length + 1)]
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def step(self, model: nn.Module, optimizer: Any, x: Tensor, y: Tensor) -> float:
        own: Callable[..., Any] | None = self.own.get("train_step")
        with undisturbed():
            if own:
                return float(own(model, optimizer, self.turn(x), self.turn(y)))
            model.train()
            optimizer.zero_grad()
            loss = self.loss(self.logits(model, x), y)
            loss.backward()
            optimizer.step()
            return loss.item()

    def nats(self, model: nn.Module) -> float:
        """The mean loss of the next token on windows that are always the same, by our own formula; else NaN."""
        starts = torch.arange(0, len(self.tokens) - LENGTH - 1, (len(self.tokens) - LENGTH) // 40)[:, None]
        rows = self.tokens[starts + torch.arange(LENGTH + 1)]
        model.eval()
        with torch.no_grad(), undisturbed():
            out = self.logits(model, rows[:, :-1]).double()
        if out.shape != (*rows[:, 1:].shape, self.vocab):
            return float("nan")
        probabilities = bool((out >= 0).all()) and torch.allclose(out.sum(-1), torch.ones(()).double(), atol=1e-3)
        logp = out.clamp_min(1e-12).log() if probabilities else out.log_softmax(-1)
        return -logp.gather(-1, rows[:, 1:, None]).mean().item()

    def trained(self, steps: int, seed: int = 0) -> tuple[float, float]:
        """The loss of the next token before and after so many of its own steps."""
        model = self.model(seed)
        return self.nats(model), self.nats(self.taught(model, steps, seed))


def subject(case: Case, text: str) -> Subject:
    """A case on a text, whose characters are numbered in their order."""
    kinds = sorted(set(text))
    number = {character: i for i, character in enumerate(kinds)}
    return Subject(case, torch.tensor([number[character] for character in text]), len(kinds))


def unigram(tokens: Tensor) -> float:
    """The entropy of single tokens, in nats: what a model that has learnt no order can reach."""
    share = torch.bincount(tokens).double() / len(tokens)
    share = share[share > 0]
    return -(share * share.log()).sum().item()
