"""Every inner value of a model over a text, by name.

    run.inside("To be")["layers.1.gate.reset"]          an array `time width`
    run.inside("To be").axes("layers.0.attention.0.weights")    ('heads', 'time', 'keys')

The names and their meanings stand in `glassloom.models.inside.GLOSSARY` and in docs/views.md; `logits` is there, too.
The batch axis is left out, for there is one text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glassloom.data.tokenizers import Tokenizer
from glassloom.errors import InputError, SettingError, nearest
from glassloom.models.contract import LanguageModel
from glassloom.models.inside import axes, recording
from glassloom.models.replacing import Change, replacing


class Inside(Mapping[str, NDArray[np.float64]]):
    """Inner values by name, each an array of float64; `labels` are those of the tokens along the axis `time`."""

    def __init__(self, values: dict[str, NDArray[np.float64]], labels: tuple[str, ...]) -> None:
        self._values, self.labels = values, labels

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        if name not in self._values:
            raise SettingError(
                f"The model has no inner value {name}", "a name that it has", nearest(name, self._values)
            )
        return self._values[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The value of that name, or the default."""
        return self._values.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def axes(self, name: str) -> tuple[str, ...]:
        """The names of an array's axes."""
        return ("time", "vocab") if name == "logits" else tuple(axes(name)[1:])


def look_inside(
    model: LanguageModel,
    tokenizer: Tokenizer,
    text: str | Sequence[int],
    replace: Mapping[str, Change] | None = None,
) -> Inside:
    """Every inner value over a text (or its ids), read from its beginning, `.start` first where the tokenizer has one.

    `replace` puts something else in the place of values while the model runs; see `glassloom.models.replacing`.

    Raises:
        InputError: the text is empty, or holds symbols that the model never saw.
        SettingError: what is to be replaced does not exist, or has another shape.
    """
    ids = [int(index) for index in (tokenizer.encode(text) if isinstance(text, str) else text)]
    if not ids:
        raise InputError("There is no text to look at", "at least one token", "give some text")
    names = tokenizer.labels()
    start = tokenizer.specials.get(".start")
    inputs = ids if start is None else [start, *ids]
    tokens = torch.tensor([inputs], device=next(model.parameters()).device)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode(), recording(model) as values, replacing(model, replace or {}):
            logits, _ = model(tokens)
    finally:
        model.train(was_training)
    found = {name: value[0].double().cpu().numpy() for name, value in {**values, "logits": logits}.items()}
    return Inside(found, tuple(names[index] for index in inputs))
