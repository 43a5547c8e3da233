"""Decoding a row in C++ (native/passage.h): read a token, choose the next, a stretch of tokens in one call.

The weights are packed once, when the decoder is made, as the instruction set in use reads them.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from glassloom.kernels import native
from glassloom.kernels.plan import Choice, Map, NormPlan, Plan, RecurrentPlan, Row, TransformerPlan, check_known

SLOTS, PADDING, TRANSFORMER = 16, 16, 5
"""As in native/passage.h."""


def fields(kind: type[Any], names: str) -> list[tuple[str, type[Any]]]:
    """Fields of one type for a structure."""
    return [(name, kind) for name in names.split()]


class Matrix(ctypes.Structure):
    """A packed matrix, field by field as in native/passage.h; so are all structures here."""

    _fields_ = (*fields(ctypes.c_void_p, "panels bias"), *fields(ctypes.c_int64, "inputs outputs"))


class Norm(ctypes.Structure):
    """A norm's weight and bias."""

    _fields_ = fields(ctypes.c_void_p, "weight bias")


class RecurrentPart(ctypes.Structure):
    """A recurrent layer."""

    _fields_ = (("width", ctypes.c_int64), *fields(Matrix, "input recurrent candidate"))


class TransformerPart(ctypes.Structure):
    """A transformer's sublayer."""

    _fields_ = (("attends", ctypes.c_int64), ("norm", Norm), *fields(Matrix, "inner outer"))


class Network(ctypes.Structure):
    """A model."""

    _fields_ = (
        *fields(ctypes.c_int64, "kind count vocabulary width"),
        *fields(ctypes.c_void_p, "table parts"),
        ("output", Matrix),
        *fields(ctypes.c_int64, "heads context activation rms after"),
        *fields(ctypes.c_void_p, "positions frequencies"),
        ("final", Norm),
        ("epsilon", ctypes.c_double),
    )


class NativeChoice(ctypes.Structure):
    """How a token is chosen."""

    _fields_ = (
        *fields(ctypes.c_double, "temperature top_p min_p"),
        *fields(ctypes.c_int64, "top_k greedy end"),
    )


class Passage(ctypes.Structure):
    """One call."""

    _fields_ = (
        *fields(ctypes.c_void_p, "network choice state"),
        *fields(ctypes.c_int64, "position token length"),
        *fields(ctypes.c_void_p, "uniforms logits ids nats"),
    )


def declared() -> bool:
    """Whether the library can decode and means the same by it; its functions then know their types."""
    if native.LIBRARY is None:
        return False
    functions = native.LIBRARY.functions
    try:
        functions.glassloom_passage_bytes.restype = ctypes.c_int64
        functions.glassloom_decode.restype = ctypes.c_int64
        functions.glassloom_decode.argtypes = (ctypes.c_int64, ctypes.c_void_p)
        for name in ("panel_columns", "lanes"):
            function = getattr(functions, f"glassloom_{name}")
            function.restype, function.argtypes = ctypes.c_int64, (ctypes.c_int64,)
        structures = (Passage, Network, NativeChoice, RecurrentPart, TransformerPart)
        return bool(functions.glassloom_passage_bytes() == sum(map(ctypes.sizeof, structures)))
    except AttributeError:
        return False


SERVES = declared()


class NativeWeights:
    """A plan, packed; any number of rows are decoded with it, also by several threads at once."""

    def __init__(self, plan: Plan) -> None:
        assert native.LIBRARY is not None
        self.plan = plan
        self.set = native.LIBRARY.sets[str(native.chosen())]
        self.decode = native.LIBRARY.functions.glassloom_decode
        self._columns = native.LIBRARY.functions.glassloom_panel_columns(self.set)
        self._lanes = native.LIBRARY.functions.glassloom_lanes(self.set)
        self._kept: list[object] = []  # what the structures point to
        table = plan.table.detach().contiguous()
        self.network = Network(vocabulary=plan.vocabulary, width=table.shape[1], table=self._at(table))
        self.network.output = self._matrix(plan.output)
        parts = self._recurrent(plan) if isinstance(plan, RecurrentPlan) else self._transformer(plan)
        self._kept.append(parts)
        self.network.count, self.network.parts = len(parts), ctypes.addressof(parts)

    def _recurrent(self, plan: RecurrentPlan) -> "ctypes.Array[RecurrentPart]":
        self.network.kind = plan.cell
        made = [
            RecurrentPart(layer.width, *map(self._matrix, (layer.input, layer.recurrent, layer.candidate)))
            for layer in plan.layers
        ]
        return (RecurrentPart * len(made))(*made)

    def _transformer(self, plan: TransformerPlan) -> "ctypes.Array[TransformerPart]":
        network = self.network
        network.kind, network.heads, network.context = TRANSFORMER, plan.heads, plan.context
        network.activation, network.rms, network.after = plan.activation, plan.rms, plan.norm_after
        network.final, network.epsilon = self._norm(plan.final), plan.epsilon
        if plan.positions is not None:
            network.positions = self._at(plan.positions.detach().contiguous())
        if plan.frequencies is not None:
            network.frequencies = self._at(plan.frequencies)
        made = [
            TransformerPart(one.attends, self._norm(one.norm), self._matrix(one.inner), self._matrix(one.outer))
            for one in plan.sublayers
        ]
        return (TransformerPart * len(made))(*made)

    def _at(self, tensor: Tensor | None) -> int | None:
        """The address of a contiguous tensor that is kept from now on."""
        if tensor is None:
            return None
        self._kept.append(tensor)
        return tensor.data_ptr()

    def _norm(self, norm: NormPlan) -> Norm:
        return Norm(*(self._at(None if one is None else one.detach().contiguous()) for one in (norm.weight, norm.bias)))

    def _matrix(self, given: Map | None) -> Matrix:
        if given is None:
            return Matrix()
        weight = given.weight.detach()
        outputs, inputs = weight.shape
        bias = None if given.bias is None else given.bias.detach().contiguous()
        return Matrix(self._at(self.packed(weight)), self._at(bias), inputs, outputs)

    def packed(self, weight: Tensor) -> Tensor:
        """Panels of columns of W^T, one after the other; the last one as narrow as whole vectors allow."""
        outputs, inputs = weight.shape
        whole = outputs // self._columns
        rest = -(-(outputs - whole * self._columns) // self._lanes) * self._lanes
        content = torch.zeros(inputs * (whole * self._columns + rest))
        panels = content[: inputs * whole * self._columns].view(whole, inputs, self._columns)
        panels.copy_(weight[: whole * self._columns].view(whole, self._columns, inputs).transpose(1, 2))
        if rest:
            last = content[inputs * whole * self._columns :].view(inputs, rest)
            last[:, : outputs - whole * self._columns] = weight[whole * self._columns :].t()
        return content


class NativeRow:
    """One row on its way: its state as native/passage.h lays it out, changed in place."""

    def __init__(self, weights: NativeWeights, row: Row) -> None:
        plan = weights.plan
        self.weights, self.position, self.begins = weights, row.position, row.begins
        self.logits = np.zeros(plan.vocabulary, dtype=np.float32)
        if isinstance(plan, TransformerPlan):
            self._shape = (plan.heads, -(-plan.context // SLOTS), plan.table.shape[1] // plan.heads)
            flat = [part for past in row.parts for part in self._in_slots(past)]
        else:
            flat = [part for parts in row.parts for part in parts]
        self._state = torch.cat([*(part.detach().reshape(-1).float() for part in flat), torch.zeros(PADDING)])

    def read(self, token: int) -> Float32[np.ndarray, " vocab"]:
        """Read a token: the logits after it, overwritten by the next call."""
        if not self.run(token, np.zeros(1), Choice(greedy=True))[0]:
            self.position += 1  # the logits are not finite, but read it is
        return self.logits

    def run(self, token: int, uniforms: Float64[np.ndarray, " time"], choice: Choice) -> tuple[list[int], list[float]]:
        """Read the token and choose the next, one for each of the numbers from [0, 1); their ids, and nats of each.

        Fewer come after the token that ends a sample, and where the model's probabilities are not finite. A position
        that the table does not have is never asked for.

        Raises:
            IndexError: the token is not one of the vocabulary.
        """
        check_known(token, self.weights.plan)
        length, uniforms = len(uniforms), np.ascontiguousarray(uniforms)
        how = NativeChoice(choice.temperature, choice.top_p, choice.min_p, choice.top_k, choice.greedy, choice.end)
        ids, nats = np.empty(length, dtype=np.int64), np.empty(length)
        passage = Passage(
            ctypes.addressof(self.weights.network), ctypes.addressof(how), self._state.data_ptr(),
            self.position - self.begins, token, length,
            uniforms.ctypes.data, self.logits.ctypes.data, ids.ctypes.data, nats.ctypes.data,
        )  # fmt: skip
        chosen = self.weights.decode(self.weights.set, ctypes.addressof(passage))
        self.position += chosen
        return ids[:chosen].tolist(), nats[:chosen].tolist()

    def row(self) -> Row:
        """The row as the model knows it."""
        plan = self.weights.plan
        parts: list[tuple[Tensor, ...]] = []
        if isinstance(plan, TransformerPlan):
            heads, blocks, head = self._shape
            size = heads * blocks * SLOTS * head
            kept = min(self.position - self.begins, plan.context)
            places = slots(self.position - self.begins, kept, plan.context)
            for keys, values in self._state[:-PADDING].view(-1, 2, size):
                as_kept = keys.view(heads, blocks, head, SLOTS).transpose(2, 3).reshape(heads, blocks * SLOTS, head)
                parts.append((as_kept[:, places], values.view(-1, heads, head)[places].transpose(0, 1)))
        else:
            states, at = 2 if plan.cell == native.Cell.LSTM else 1, 0
            for layer in plan.layers:
                parts.append(tuple(self._state[at : at + states * layer.width].clone().split(layer.width)))
                at += states * layer.width
        return Row(parts, self.position, self.begins)

    def _in_slots(self, past: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Keys and values (heads keys head) where native/passage.h has them."""
        heads, blocks, head = self._shape
        plan = self.weights.plan
        assert isinstance(plan, TransformerPlan)
        places = slots(self.position - self.begins, past[0].shape[1], plan.context)
        keys, values = torch.zeros(2, heads, blocks * SLOTS, head)
        keys[:, places], values[:, places] = past[0].detach(), past[1].detach()
        return keys.view(heads, blocks, SLOTS, head).transpose(2, 3), values.transpose(0, 1)


def slots(position: int, kept: int, context: int) -> Tensor:
    """Where the last `kept` of `position` tokens stand, the oldest first."""
    return torch.arange(position - kept, position) % context
