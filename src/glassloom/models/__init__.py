"""Tensors: the architectures, and the contract that all of them keep.

An architecture is one file and one line here; its settings class, with help and bounds, sits in its file.
"""

import importlib
from typing import TYPE_CHECKING

from glassloom.errors import SettingError, nearest

if TYPE_CHECKING:
    import torch

    from glassloom.models.contract import LanguageModel, ModelSettings

ARCHITECTURES = {
    "rnn": "glassloom.models.rnn:RNN",
    "gru": "glassloom.models.gru:GRU",
    "lstm": "glassloom.models.lstm:LSTM",
    "transformer": "glassloom.models.transformer:Transformer",
}
"""Every listed architecture, by name: where its class is (named, not imported, so that listing needs no torch)."""


def architecture(name: str) -> "type[LanguageModel]":
    """The class of a listed architecture; SettingError names the nearest one where it is not listed.

    >>> architecture("gru").Settings().layers
    2
    """
    if name not in ARCHITECTURES:
        raise SettingError(
            f"There is no architecture called {name!r}",
            f"one of {', '.join(ARCHITECTURES)}",
            nearest(name, ARCHITECTURES),
        )
    module, _, attribute = ARCHITECTURES[name].partition(":")
    found: type[LanguageModel] = getattr(importlib.import_module(module), attribute)
    return found


def build(
    settings: "ModelSettings | str", vocabulary: int, generator: "torch.Generator | None" = None
) -> "LanguageModel":
    """A new model of these settings (or of an architecture's defaults, by name), its weights drawn from `generator`.

    >>> import torch
    >>> model = build("gru", vocabulary=30, generator=torch.Generator().manual_seed(1))
    >>> model(torch.zeros(2, 5, dtype=torch.long))[0].shape
    torch.Size([2, 5, 30])
    """
    if isinstance(settings, str):
        settings = architecture(settings).Settings()
    return architecture(settings.architecture)(settings, vocabulary, generator)
