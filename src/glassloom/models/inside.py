"""The glossary of inner values, and how to see them.

A model hands every inner value to `model.probe`, where there is one, and goes on with what the probe returns: so a probe
records, or replaces. Without one nothing is computed for it; a fused kernel then hides its gates, and with one the same
weights run step by step instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from glassloom.models.contract import LanguageModel


class Probe(Protocol):
    """Called with each inner value's name and value; what it returns is used from there on."""

    def __call__(self, name: str, value: Tensor) -> Tensor: ...


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
    """Collect every inner value of the forward passes in the block, by name."""
    values: dict[str, Tensor] = {}

    def record(name: str, value: Tensor) -> Tensor:
        values[name] = value
        return value

    with probing(model, record):
        yield values
