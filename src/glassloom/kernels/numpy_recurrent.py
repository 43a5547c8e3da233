"""A recurrent model's row in NumPy: what decodes where nothing is compiled, at a third of torch's cost a step.

Few calls make it quick. All of a layer's products are one: the hidden vectors of all layers stand in one array, so that
a layer's input and its own past are one slice of it. Sigmoids are tanh, sigma(x) = tanh(x/2)/2 + 1/2, the first half
folded into the weights, so that a layer's gates are one call.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from glassloom.kernels.native import Cell
from glassloom.kernels.plan import Map, RecurrentLayerPlan, RecurrentPlan, Row, check_known

Floats = Float32[np.ndarray, "..."]
SIGMOIDS = {Cell.LSTM: 3, Cell.GRU_RESET_BEFORE: 2, Cell.GRU_RESET_AFTER: 2}
"""How many of a cell's gates are sigmoids; they stand first."""


def array(tensor: Tensor) -> Floats:
    """A tensor as an array of its own."""
    return tensor.detach().to(torch.float32).numpy().copy()


def transposed(given: Map) -> tuple[Floats, Floats]:
    """W^T row by row, and b, zero where there is none."""
    weight = array(given.weight)
    bias = np.zeros(len(weight), dtype=np.float32) if given.bias is None else array(given.bias)
    return np.ascontiguousarray(weight.T), bias


def from_input(cell: Cell, values: Floats) -> Floats:
    """What the input adds to the gates, in the order of this file; with the reset after, the candidate stands twice."""
    if cell == Cell.LSTM:
        enter, keep, candidate, show = np.split(values, 4, axis=-1)
        return np.concatenate([enter / 2, keep / 2, show / 2, candidate], -1)
    if cell in SIGMOIDS:
        reset, update, candidate = np.split(values, 3, axis=-1)
        more = [np.zeros_like(candidate)] if cell == Cell.GRU_RESET_AFTER else []
        return np.concatenate([reset / 2, update / 2, candidate, *more], -1)
    return values


def from_past(cell: Cell, values: Floats) -> Floats:
    """What the layer's own past adds to them; with the reset before, the candidate's is another product."""
    if cell == Cell.GRU_RESET_BEFORE:
        reset, update = np.split(values, 2, axis=-1)
        return np.concatenate([reset / 2, update / 2, np.zeros_like(reset)], -1)
    if cell == Cell.GRU_RESET_AFTER:
        reset, update, candidate = np.split(values, 3, axis=-1)
        return np.concatenate([reset / 2, update / 2, np.zeros_like(candidate), candidate], -1)
    return from_input(cell, values)


class NumpyRecurrent:
    """A recurrent model's weights as the rows read them."""

    def __init__(self, plan: RecurrentPlan) -> None:
        self.plan, self.cell = plan, plan.cell
        self.output, self.output_bias = transposed(plan.output)
        self.table, self.layers = array(plan.table), [self._stacked(layer) for layer in plan.layers]
        self.folded = plan.layers[0].input is None
        if self.folded:  # the table's rows are what the input adds to the first layer's gates
            weight, bias, candidate = self.layers[0]
            self.table = from_input(self.cell, self.table) + bias
            self.layers[0] = weight, np.zeros_like(bias), candidate

    def _stacked(self, layer: RecurrentLayerPlan) -> tuple[Floats, Floats, Floats | None]:
        """A layer's [input, past]^T, what is added to the product, and the candidate's own weight."""
        past, bias = (from_past(self.cell, one) for one in transposed(layer.recurrent))
        if layer.input is not None:
            weight, input_bias = (from_input(self.cell, one) for one in transposed(layer.input))
            past, bias = np.concatenate([weight, past]), bias + input_bias
        return past, bias, None if layer.candidate is None else transposed(layer.candidate)[0]


@dataclass(slots=True)
class Layer:
    """A row's place in one layer: views of its arrays, which a step overwrites."""

    read: Floats  # the input (none where the table holds the gates) and the layer's own past
    weight: Floats
    bias: Floats
    gates: Floats
    sigmoids: Floats
    half: Floats
    parts: list[Floats]
    hidden: Floats
    cell: Floats | None
    candidate: Floats | None


class NumpyRecurrentRow:
    """A row on its way through a recurrent model."""

    begins = 0

    def __init__(self, weights: NumpyRecurrent, row: Row) -> None:
        self.weights, self.position = weights, row.position
        widths = [layer.width for layer in weights.plan.layers]
        size = 0 if weights.folded else weights.table.shape[1]
        ends = np.cumsum([size, *widths])
        self._given = np.zeros(ends[-1], dtype=np.float32)  # the token's vector where there is one, all hidden vectors
        self._token = self._given[:size]
        self._logits = np.empty(weights.plan.vocabulary, dtype=np.float32)
        self._layers = []
        for (weight, bias, candidate), width, end, state in zip(
            weights.layers, widths, ends[1:], row.parts, strict=True
        ):
            hidden, gates = self._given[end - width : end], np.empty_like(bias)
            hidden[:] = array(state[0])
            sigmoids = gates[: SIGMOIDS.get(weights.cell, 0) * width]
            layer = Layer(
                read=self._given[end - len(weight) : end],
                weight=weight,
                bias=bias,
                gates=gates,
                sigmoids=sigmoids,
                half=np.full_like(sigmoids, 0.5),
                parts=[gates[at : at + width] for at in range(0, len(gates), width)],
                hidden=hidden,
                cell=array(state[1]) if len(state) > 1 else None,
                candidate=candidate,
            )
            self._layers.append(layer)
        self._step = STEPS[weights.cell]

    def read(self, token: int) -> Float32[np.ndarray, " vocab"]:
        """Read a token: the logits after it, overwritten by the next call."""
        check_known(token, self.weights.plan)
        weights = self.weights
        added = weights.table[token] if weights.folded else None
        if added is None:
            self._token[:] = weights.table[token]
        for layer in self._layers:
            np.dot(layer.read, layer.weight, out=layer.gates)
            layer.gates += layer.bias if added is None else added
            added = None
            self._step(layer)
        self.position += 1
        np.dot(self._layers[-1].hidden, weights.output, out=self._logits)
        self._logits += weights.output_bias
        return self._logits

    def row(self) -> Row:
        """The row as the model knows it."""
        kept = [[one for one in (layer.hidden, layer.cell) if one is not None] for layer in self._layers]
        return Row([tuple(torch.from_numpy(one.copy()) for one in parts) for parts in kept], self.position)


def to_sigmoids(layer: Layer) -> None:
    """tanh(x/2) as sigma(x)."""
    layer.sigmoids *= layer.half
    layer.sigmoids += layer.half


def lstm(layer: Layer) -> None:
    """c' = f c + i n, h' = o tanh c'."""
    np.tanh(layer.gates, out=layer.gates)
    to_sigmoids(layer)
    enter, keep, show, candidate = layer.parts
    cell = layer.cell
    assert cell is not None
    cell *= keep
    candidate *= enter
    cell += candidate
    np.tanh(cell, out=layer.hidden)
    layer.hidden *= show


def gru_before(layer: Layer) -> None:
    """n = tanh(W x + U (r h)), h' = h + z (n - h)."""
    np.tanh(layer.sigmoids, out=layer.sigmoids)
    to_sigmoids(layer)
    reset, update, candidate = layer.parts
    assert layer.candidate is not None
    reset *= layer.hidden
    candidate += np.dot(reset, layer.candidate)
    np.tanh(candidate, out=candidate)
    candidate -= layer.hidden
    candidate *= update
    layer.hidden += candidate


def gru_after(layer: Layer) -> None:
    """n = tanh(W x + r (U h)), h' = n + z (h - n)."""
    np.tanh(layer.sigmoids, out=layer.sigmoids)
    to_sigmoids(layer)
    reset, update, candidate, past = layer.parts
    past *= reset
    candidate += past
    np.tanh(candidate, out=candidate)
    layer.hidden -= candidate
    layer.hidden *= update
    layer.hidden += candidate


def rnn_tanh(layer: Layer) -> None:
    """h' = tanh(W x + U h)."""
    np.tanh(layer.gates, out=layer.hidden)


def rnn_relu(layer: Layer) -> None:
    """h' = max(W x + U h, 0)."""
    np.maximum(layer.gates, 0, out=layer.hidden)


STEPS: dict[Cell, Callable[[Layer], None]] = {
    Cell.RNN_TANH: rnn_tanh,
    Cell.RNN_RELU: rnn_relu,
    Cell.GRU_RESET_BEFORE: gru_before,
    Cell.GRU_RESET_AFTER: gru_after,
    Cell.LSTM: lstm,
}
