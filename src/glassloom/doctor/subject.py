"""What is examined: a builder of models and whatever of a training loop comes with it."""

import inspect as signatures
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from glassloom.doctor.guarded import default_dtype, sow

PARTS = ("compute_loss", "build_optimizer", "train_step", "make_batch", "generate")
"""The functions that may stand beside the builder."""


@dataclass
class Subject:
    """Somebody's code: `build(vocabulary, **settings)` and its loop, and the text that it is tried on."""

    build: Callable[..., nn.Module]
    vocabulary: int
    text: Tensor
    """Ids, one dimension."""
    compute_loss: Callable[..., Any] | None = None
    build_optimizer: Callable[..., Any] | None = None
    train_step: Callable[..., Any] | None = None
    make_batch: Callable[..., Any] | None = None
    generate: Callable[..., Any] | None = None
    time_first: bool = False
    seed: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    own_text: bool = False
    """Whether the text is the user's own."""

    def fresh(self, seed: int = 0, jitter: float = 0.0, dtype: torch.dtype | None = None) -> nn.Module:
        """A newly built model; equal seeds give equal weights.

        With `jitter` every parameter is moved by noise of that share of its own size, so that what is zero only
        because it was initialised so (a position embedding, a last projection) is not taken for a fault.
        """
        sow(self.seed + 1000 * seed)
        with default_dtype(dtype or torch.float32):
            model = self.build(self.vocabulary, **self.settings)
        if not isinstance(model, nn.Module):
            raise TypeError(f"the builder returned {type(model).__name__}, not a torch.nn.Module")
        if dtype == torch.float64:
            model._apply(doubled)
        if jitter:
            shake(model, jitter, self.seed + seed)
        return model


def doubled(tensor: Tensor) -> Tensor:
    """The same in double precision; complex numbers stay complex, integers what they are."""
    if tensor.is_floating_point():
        return tensor.double()
    return tensor.to(torch.complex128) if tensor.is_complex() else tensor


def shake(model: nn.Module, share: float, seed: int) -> None:
    """Add noise to every parameter: of `share` of its root mean square, or of 1/sqrt(last axis) where it is zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.is_floating_point():
                continue
            size = parameter.double().pow(2).mean().sqrt().item() if parameter.numel() else 0.0
            if size == 0.0:
                size = (parameter.shape[-1] if parameter.ndim else 1) ** -0.5
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64, device="cpu")
            parameter.add_((share * size * noise).to(parameter))


def accepts(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many positional arguments."""
    try:
        signatures.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def device_of(model: nn.Module) -> torch.device:
    """Where the model lies."""
    for tensor in [*model.parameters(), *model.buffers()]:
        return tensor.device
    return torch.device("cpu")
