"""Which decoder runs a plan: the compiled one where it was built, else NumPy.

Both read a token into a row's state and give torch's logits but for rounding; no caller knows which ran.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

from glassloom.kernels import native, native_decoder
from glassloom.kernels.native_decoder import NativeRow, NativeWeights
from glassloom.kernels.numpy_recurrent import NumpyRecurrent, NumpyRecurrentRow
from glassloom.kernels.numpy_transformer import NumpyTransformer, NumpyTransformerRow
from glassloom.kernels.plan import Plan, RecurrentPlan, Row

Name = Literal["native", "numpy", "torch"]
_forced: list[Name | None] = [None]

DecodingRow: TypeAlias = NativeRow | NumpyRecurrentRow | NumpyTransformerRow
"""A row on its way: `read` a token, get the logits; `position`, `begins`, and the `row` as the model knows it."""


def chosen() -> Name:
    """The decoder in use: compiled where it was built, else NumPy; torch where a `with` block asks for it."""
    if _forced[-1] is not None:
        return _forced[-1]
    return "native" if native_decoder.SERVES and native.chosen() is not None else "numpy"


@contextmanager
def using(name: Name | None) -> Iterator[None]:
    """Another decoder inside a `with` block, for tests and measurements; None: what runs by itself.

    `native.using` says with which instruction set.
    """
    assert name != "native" or native_decoder.SERVES, "the decoder was not compiled here"
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


class Decoder:
    """A plan made ready: compiled or in NumPy, as `chosen` says when it is made."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.name = plan, chosen()
        assert self.name != "torch"
        self._weights: NativeWeights | NumpyRecurrent | NumpyTransformer
        if self.name == "native":
            self._weights = NativeWeights(plan)
        else:
            self._weights = NumpyRecurrent(plan) if isinstance(plan, RecurrentPlan) else NumpyTransformer(plan)

    def begin(self, row: Row) -> DecodingRow:
        """A row on its way, from any point of a text."""
        if isinstance(self._weights, NativeWeights):
            return NativeRow(self._weights, row)
        if isinstance(self._weights, NumpyRecurrent):
            return NumpyRecurrentRow(self._weights, row)
        return NumpyTransformerRow(self._weights, row)
