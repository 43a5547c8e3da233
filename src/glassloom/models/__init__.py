"""Tensors: the architectures, and the contract that all of them keep.

An architecture is one file, its settings with help and bounds, and one line here; another package adds one by an entry
point (`glassloom.plugins`), its settings in the same file.
"""

import importlib
from typing import TYPE_CHECKING, Any

from glassloom.errors import InputError, SettingError, nearest
from glassloom.plugins import Catalogue

if TYPE_CHECKING:
    import torch

    from glassloom.models.contract import LanguageModel
    from glassloom.models.settings import ModelSettings


def taken(name: str, what: Any) -> tuple[Any, Any]:
    """What a package adds under a name: its class, and that of its settings. Raises InputError where it is none."""
    from glassloom.models.contract import LanguageModel
    from glassloom.models.settings import ModelSettings

    if not (isinstance(what, type) and issubclass(what, LanguageModel)):
        raise InputError(f"{what!r} is no subclass of LanguageModel")
    settings = getattr(what, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, ModelSettings)):
        raise InputError(f"{what.__name__}.Settings is no subclass of ModelSettings")
    if getattr(settings, "architecture", None) != name:
        raise InputError(f"{settings.__name__}.architecture is not {name!r}")
    for setting, field in settings.model_fields.items():
        if field.is_required() or not field.description:
            raise InputError(f"its setting {setting} lacks a {'default' if field.is_required() else 'description'}")
    return what, settings


ARCHITECTURES: Catalogue[tuple[Any, Any]] = Catalogue("architecture", {
    "rnn": ("glassloom.models.rnn:RNN", "glassloom.models.settings:RNNSettings"),
    "gru": ("glassloom.models.gru:GRU", "glassloom.models.settings:GRUSettings"),
    "lstm": ("glassloom.models.lstm:LSTM", "glassloom.models.settings:LSTMSettings"),
    "transformer": ("glassloom.models.transformer:Transformer", "glassloom.models.settings:TransformerSettings"),
}, taken)  # fmt: skip
"""Every listed architecture, by name: where its class and its settings are (named, not imported: neither listing nor
help needs torch)."""


def architecture(name: str) -> "type[LanguageModel]":
    """The class of a listed architecture; SettingError names the nearest one where it is not listed.

    >>> architecture("gru").Settings().layers
    2
    """
    found: type[LanguageModel] = named(name, 0)
    return found


def settings_of(name: str) -> "type[ModelSettings]":
    """The settings class of a listed architecture, without the architecture itself, which takes torch.

    >>> settings_of("lstm")().layers
    2
    """
    found: type[ModelSettings] = named(name, 1)
    return found


def named(name: str, place: int) -> Any:
    """What a line of the list names in that place."""
    if name not in ARCHITECTURES:
        raise SettingError(
            f"There is no architecture called {name!r}",
            f"one of {', '.join(ARCHITECTURES)}; or, where a package adds it, that package installed",
            nearest(name, ARCHITECTURES),
        )
    found = ARCHITECTURES[name][place]
    if not isinstance(found, str):
        return found
    module, _, attribute = found.partition(":")
    return getattr(importlib.import_module(module), attribute)


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
        settings = settings_of(settings)()
    return architecture(settings.architecture)(settings, vocabulary, generator)
