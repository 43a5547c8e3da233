"""What the tests of foreign formats share: models with weights that matter everywhere, and their own greedy texts."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from glassloom.exchange.folder import contents
from glassloom.exchange.tokenizing import as_bytes
from glassloom.models import build, settings_of
from glassloom.models.contract import LanguageModel

VOCABULARY = 13
SMALL = {"layers": 2, "width": 16, "heads": 4, "context": 24}
RMS = {"normalization": "rms", "activation": "swiglu", "norm_bias": False, "output_bias": False}


def model_of(architecture: str, **given: Any) -> LanguageModel:
    """A small model in which no bias, norm or initial state is what it began as."""
    usual = SMALL if architecture == "transformer" else {"layers": 2, "width": 12}
    generator = torch.Generator().manual_seed(1)
    model = build(settings_of(architecture)(**{**usual, **given}), VOCABULARY, generator).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.25)
    return model


def tokens_of(rows: int, time: int) -> Tensor:
    """Some tokens."""
    return torch.randint(VOCABULARY, (rows, time), generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def is_greedy(model: LanguageModel, text: Tensor, given: int) -> bool:
    """Whether a text, but for its first `given` tokens, is a model's greedy one: in one pass, each is most probable."""
    chosen = model(text)[0][:, given - 1 : -1].argmax(-1)
    return torch.equal(chosen, text[:, given:])


def written(model: LanguageModel, folder: Path) -> dict[str, Any]:
    """Config and weights of a model in a folder, as an export has them; the config."""
    config, tensors = contents(model)
    (folder / "config.json").write_bytes(as_bytes(config))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return config


@contextmanager
def their_warnings() -> Iterator[None]:
    """Another library's warnings about itself are not ours."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield
