"""A recurrent model's row in NumPy: what decodes where nothing is compiled, at a third of torch's cost a step.

Few calls make it quick. All of a layer's products are one: the hidden vectors of all layers stand in one array, so that
a layer's input and its own past are one slice of it. Sigmoids are tanh, sigma(x) = tanh(x/2)/2 + 1/2, the first half
folded into the weights, so that a layer's gates are one call.
"""

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from glassloom.kernels.native import Cell
from glassloom.kernels.plan import Map, RecurrentLayerPlan, RecurrentPlan, Row

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
        for number, (width, (weight, bias, candidate)) in enumerate(zip(widths, weights.layers, strict=True)):
            hidden, *cell = (array(part) for part in row.parts[number])
            end = ends[number + 1]
            self._given[end - width : end] = hidden
            read, hidden = self._given[end - len(weight) : end], self._given[end - width : end]
            gates = np.empty_like(bias)
            sigmoids = gates[: SIGMOIDS.get(weights.cell, 0) * width]
            half = np.full_like(sigmoids, 0.5)
            parts = [gates[at : at + width] for at in range(0, len(gates), width)]
            own = (gates, sigmoids, half, parts, hidden, cell[0] if cell else hidden, candidate)
            self._layers.append((read, weight, bias, own))
        self._step = {
            Cell.LSTM: lstm,
            Cell.GRU_RESET_BEFORE: gru_before,
            Cell.GRU_RESET_AFTER: gru_after,
            Cell.RNN_TANH: rnn_tanh,
            Cell.RNN_RELU: rnn_relu,
        }[weights.cell]
        self._last = hidden

    def read(self, token: int) -> Float32[np.ndarray, "vocab"]:
        """Read a token: the logits after it, overwritten by the next call."""
        weights = self.weights
        added = weights.table[token]
        if not weights.folded:
            self._token[:] = added
        for number, (read, weight, bias, own) in enumerate(self._layers):
            gates = own[0]
            np.dot(read, weight, out=gates)
            gates += added if weights.folded and number == 0 else bias
            self._step(*own)
        self.position += 1
        np.dot(self._last, weights.output, out=self._logits)
        self._logits += weights.output_bias
        return self._logits

    def row(self) -> Row:
        """The row as the model knows it."""
        parts = []
        for *_, (_, _, _, _, hidden, cell, _) in self._layers:
            kept = (hidden, cell) if self.weights.cell == Cell.LSTM else (hidden,)
            parts.append(tuple(torch.from_numpy(one.copy()) for one in kept))
        return Row(parts, self.position)


Parts = list[Floats]


def opened(sigmoids: Floats, half: Floats) -> None:
    """tanh(x/2) as sigma(x)."""
    sigmoids *= half
    sigmoids += half


def lstm(gates: Floats, sigmoids: Floats, half: Floats, parts: Parts, hidden: Floats, cell: Floats, _: None) -> None:
    """c' = f c + i n, h' = o tanh c'."""
    np.tanh(gates, out=gates)
    opened(sigmoids, half)
    enter, keep, show, candidate = parts
    cell *= keep
    candidate *= enter
    cell += candidate
    np.tanh(cell, out=hidden)
    hidden *= show


def gru_before(
    gates: Floats, sigmoids: Floats, half: Floats, parts: Parts, hidden: Floats, _: Floats, weight: Floats
) -> None:
    """n = tanh(W x + U (r h)), h' = h + z (n - h)."""
    np.tanh(sigmoids, out=sigmoids)
    opened(sigmoids, half)
    reset, update, candidate = parts
    reset *= hidden
    candidate += np.dot(reset, weight)
    np.tanh(candidate, out=candidate)
    candidate -= hidden
    candidate *= update
    hidden += candidate


def gru_after(gates: Floats, sigmoids: Floats, half: Floats, parts: Parts, hidden: Floats, *_: Floats) -> None:
    """n = tanh(W x + r (U h)), h' = n + z (h - n)."""
    np.tanh(sigmoids, out=sigmoids)
    opened(sigmoids, half)
    reset, update, candidate, past = parts
    past *= reset
    candidate += past
    np.tanh(candidate, out=candidate)
    hidden -= candidate
    hidden *= update
    hidden += candidate


def rnn_tanh(gates: Floats, sigmoids: Floats, half: Floats, parts: Parts, hidden: Floats, *_: Floats) -> None:
    """h' = tanh(W x + U h)."""
    np.tanh(gates, out=hidden)


def rnn_relu(gates: Floats, sigmoids: Floats, half: Floats, parts: Parts, hidden: Floats, *_: Floats) -> None:
    """h' = max(W x + U h, 0)."""
    np.maximum(gates, 0, out=hidden)
