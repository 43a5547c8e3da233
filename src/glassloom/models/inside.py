"""The glossary of inner values, and how to see them.

A model hands every inner value to `model.probe`, where there is one, and goes on with what the probe returns: so a
probe records, or replaces. Without one nothing is computed for it; a fused kernel then hides its gates, and with one
the same weights run step by step instead.

A recurrent layer's values come one step at a time: a piece whose time axis has length 1, call after call, so that what
is replaced at one step is met by the next. Everything else comes whole, or for a transformer and a text longer than its
context window by window; where a window restarts, its first `model.repeated` tokens are shown again.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from glassloom.models.contract import LanguageModel


@dataclass(frozen=True)
class InnerValue:
    """What an inner value's axes are (see `glassloom.shapes`), and what it means."""

    axes: str
    meaning: str


GLOSSARY = {
    "embedding": InnerValue(
        "batch time width",
        "the tokens' vectors that enter the first layer, positions added; of one-hot inputs columns of its weight",
    ),
    "layers.N.gate.reset": InnerValue("batch time width", "share of the past that the candidate sees (GRU)"),
    "layers.N.gate.update": InnerValue(
        "batch time width",
        "GRU, reset before: share of the candidate in the new hidden vector; reset after: share of the old one kept",
    ),
    "layers.N.gate.input": InnerValue("batch time width", "share of the candidate that enters the cell (LSTM)"),
    "layers.N.gate.forget": InnerValue("batch time width", "share of the cell that stays in it (LSTM)"),
    "layers.N.gate.output": InnerValue("batch time width", "share of the cell that is shown (LSTM)"),
    "layers.N.candidate": InnerValue("batch time width", "what the gates let in: tanh of a product (GRU, LSTM)"),
    "layers.N.cell": InnerValue("batch time width", "the cell (LSTM)"),
    "layers.N.hidden": InnerValue("batch time width", "the hidden vector of a recurrent layer, before dropout"),
    "layers.N.attention.M.weights": InnerValue(
        "batch heads time keys", "attention sublayer M: how much each query (time) takes from each key; sums to 1"
    ),
    "layers.N.attention.M.queries": InnerValue(
        "batch heads time head", "attention sublayer M: what each token looks for, turned by its position (rotary)"
    ),
    "layers.N.attention.M.keys": InnerValue("batch heads time head", "what it is found by, turned by its position"),
    "layers.N.attention.M.values": InnerValue("batch heads time head", "what is taken from it"),
    "layers.N.attention.M.mixed": InnerValue(
        "batch heads time head", "what each head takes: its weights times the values; without it the head is off"
    ),
    "layers.N.attention.M": InnerValue("batch time width", "what attention sublayer M adds to the stream"),
    "layers.N.feedforward.inner": InnerValue("batch time inner", "inside the feed-forward, after its activation"),
    "layers.N.feedforward": InnerValue("batch time width", "what the feed-forward adds to the stream"),
    "layers.N.residual": InnerValue("batch time width", "the stream after a transformer's layer"),
    "output.hidden": InnerValue("batch time width", "the vector that the output layer reads"),
}
"""Every inner value that a model may show, N being a layer's number and M a sublayer's, both from 0."""


def inner_value(name: str) -> InnerValue:
    """The glossary's entry for a name with numbers in it; KeyError where there is none.

    >>> inner_value("layers.3.gate.reset").axes
    'batch time width'
    """
    parts, letters = name.split("."), iter("NM")
    return GLOSSARY[".".join(next(letters, part) if part.isdigit() else part for part in parts)]


Probe: TypeAlias = Callable[[str, Tensor], Tensor]
"""Called with each inner value's name and value; what it returns is used from there on."""


@contextmanager
def probing(model: "LanguageModel", probe: Probe) -> Iterator[None]:
    """Let `probe` see every inner value while the block runs."""
    before, model.probe = model.probe, probe
    try:
        yield
    finally:
        model.probe = before


@contextmanager
def recording(model: "LanguageModel") -> Iterator[dict[str, Tensor]]:
    """Collect every inner value of the block's forward pass, by name, whole; they are there when the block ends.

    Several passes with the state carried are one text in pieces. Attention weights are 0 on keys out of reach.

    >>> from glassloom.models import build
    >>> with recording(build("gru", vocabulary=5)) as values:
    ...     _ = build("gru", vocabulary=5)  # another model is not seen
    >>> values
    {}
    """
    pieces: dict[str, list[Tensor]] = {}
    values: dict[str, Tensor] = {}

    def record(name: str, value: Tensor) -> Tensor:
        axis = axes(name).index("time")
        pieces.setdefault(name, []).append(value.narrow(axis, model.repeated, value.shape[axis] - model.repeated))
        return value

    with probing(model, record):
        yield values
    for name, parts in pieces.items():
        if len(parts) > 1 and "keys" in axes(name):
            parts = on_common_keys(parts)
        values[name] = parts[0] if len(parts) == 1 else torch.cat(parts, axes(name).index("time"))


def axes(name: str) -> list[str]:
    """The axes of an inner value; batch and time for a name that the glossary lacks."""
    try:
        return inner_value(name).axes.split()
    except KeyError:
        return ["batch", "time"]


def on_common_keys(parts: list[Tensor]) -> list[Tensor]:
    """Attention weights of consecutive pieces, each widened to all keys: a piece's last query is its last key."""
    ends = list(accumulate(part.shape[-2] for part in parts))
    first = min(end - part.shape[-1] for end, part in zip(ends, parts, strict=True))
    return [F.pad(part, (end - part.shape[-1] - first, ends[-1] - end)) for end, part in zip(ends, parts, strict=True)]
