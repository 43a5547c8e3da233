"""A transformer's row in NumPy: what decodes where nothing is compiled.

Few calls make it quick. A norm's scale and offset are folded into the product behind it, a score's scale into that of
the queries, gelu's half into the feed-forward's second. Rotary planes are complex numbers, for which entries i and
i + head/2 of a head stand side by side. A column of ones beside the values gives the softmax its sum.
"""

from math import pi, sqrt

import numpy as np
import torch
from jaxtyping import Float32

from glassloom.kernels.numpy_recurrent import Floats, array, transposed
from glassloom.kernels.plan import FeedForwardActivation, NormPlan, Row, Sublayer, TransformerPlan, check_known

"""A norm's, as in models/layers.py."""


class NumpyTransformer:
    """A transformer's weights as the rows read them."""

    def __init__(self, plan: TransformerPlan) -> None:
        self.plan, self.table = plan, array(plan.table)
        self.positions = None if plan.positions is None else array(plan.positions)
        self.frequencies = None if plan.frequencies is None else plan.frequencies.numpy()
        self.width = plan.table.shape[1]
        self.head = self.width // plan.heads
        order = np.arange(self.head)
        if plan.frequencies is not None:  # plane i: entries i and i + head/2, side by side
            order = order.reshape(2, -1).T.ravel()
        self.order = order
        self.sublayers = [self._sublayer(one) for one in plan.sublayers]
        self.output = self._behind(plan.final, *transposed(plan.output))

    def _sublayer(self, given: Sublayer) -> tuple[Floats, ...]:
        weight, bias = transposed(given.inner)
        if not self.plan.norm_after:
            weight, bias = self._behind(given.norm, weight, bias)
        if given.attends:
            for values in (weight, bias):
                queries_keys = values[..., : 2 * self.width]
                heads = queries_keys.reshape(*values.shape[:-1], -1, self.head)[..., self.order]
                queries_keys[...] = heads.reshape(queries_keys.shape)
                values[..., : self.width] /= sqrt(self.head)
        outer, outer_bias = transposed(given.outer)
        if not given.attends and self.plan.activation == FeedForwardActivation.GELU:
            outer /= 2
        return weight, bias, outer, outer_bias

    @staticmethod
    def _behind(norm: NormPlan, weight: Floats, bias: Floats) -> tuple[Floats, Floats]:
        """A product behind a norm that is left without its scale and offset."""
        if norm.bias is not None:
            bias = bias + array(norm.bias) @ weight
        return weight if norm.weight is None else array(norm.weight)[:, None] * weight, bias


class NumpyTransformerRow:
    """A row on its way through a transformer: keys and values in slots that take turns, position p in p % context."""

    def __init__(self, weights: NumpyTransformer, row: Row) -> None:
        plan = weights.plan
        self.weights, self.position, self.begins = weights, row.position, row.begins
        self._ones = np.ones(weights.width, dtype=np.float32)
        self._norms = [(array(one.norm.weight), None if one.norm.bias is None else array(one.norm.bias))
                       for one in plan.sublayers if one.norm.weight is not None]  # fmt: skip
        self._keys, self._values = [], []
        for past in row.parts:
            places = self._slots(past[0].shape[1])
            keys = np.zeros((plan.heads, weights.head, plan.context), dtype=np.float32)
            values = np.zeros((plan.heads, plan.context, weights.head + 1), dtype=np.float32)
            keys[:, :, places] = array(past[0])[..., weights.order].transpose(0, 2, 1)
            values[:, places, :-1], values[:, :, -1] = array(past[1]), 1
            self._keys.append(keys)
            self._values.append(values)

    def _slots(self, kept: int) -> np.ndarray:
        """Where the last `kept` tokens stand, the oldest first."""
        read = self.position - self.begins
        return np.arange(read - kept, read) % self.weights.plan.context

    def read(self, token: int) -> Float32[np.ndarray, " vocab"]:
        """Read a token: the logits after it."""
        check_known(token, self.weights.plan)
        weights, plan = self.weights, self.weights.plan
        place = self.position - self.begins
        stream = weights.table[token].copy()
        if weights.positions is not None:
            stream += weights.positions[place]
        turn = None
        if weights.frequencies is not None:
            turn = np.exp(1j * (place * weights.frequencies)).astype(np.complex64)
        past = iter(zip(self._keys, self._values, strict=True))
        for number, (sublayer, (weight, bias, outer, outer_bias)) in enumerate(
            zip(plan.sublayers, weights.sublayers, strict=True)
        ):
            given = stream if plan.norm_after else self._normal(stream)
            inner = np.dot(given, weight)
            inner += bias
            inner = self._attend(inner, turn, *next(past)) if sublayer.attends else self._activate(inner)
            made = np.dot(inner, outer)
            stream += outer_bias
            stream += made
            if plan.norm_after:
                stream = self._normal(stream)
                scale, offset = self._norms[number]
                stream *= scale
                if offset is not None:
                    stream += offset
        self.position += 1
        if plan.final.weight is not None:
            stream = self._normal(stream)
        weight, bias = weights.output
        logits: Floats = np.dot(stream, weight)
        logits += bias
        return logits

    def _normal(self, values: Floats) -> Floats:
        """(x - mean) / deviation, or x / root mean square."""
        width, epsilon = self.weights.width, self.weights.plan.epsilon
        if not self.weights.plan.rms:
            values = values - values.dot(self._ones) / width
            return np.multiply(values, 1 / sqrt(values.dot(values) / width + epsilon), dtype=np.float32)
        return values * np.float32(1 / sqrt(values.dot(values) / width + epsilon))

    def _attend(self, projected: Floats, turn: np.ndarray | None, keys: Floats, values: Floats) -> Floats:
        """The values of the tokens that are seen, mixed; queries, keys and values of the new one come in one array."""
        plan, width = self.weights.plan, self.weights.width
        read = self.position - self.begins
        slot, seen = read % plan.context, min(read + 1, plan.context)
        heads = projected.reshape(3, plan.heads, -1)
        if turn is not None:
            planes = projected[: 2 * width].view(np.complex64).reshape(-1, len(turn))
            planes *= turn
        keys[:, :, slot] = heads[1]
        values[:, slot, :-1] = heads[2]
        scores = np.matmul(heads[0][:, None], keys[:, :, :seen])
        scores -= np.maximum.reduce(scores, axis=2, keepdims=True)
        np.exp(scores, out=scores)
        mixed = np.matmul(scores, values[:, :seen])
        return np.divide(mixed[:, 0, :-1], mixed[:, 0, -1:]).ravel()

    def _activate(self, inner: Floats) -> Floats:
        kind = self.weights.plan.activation
        if kind == FeedForwardActivation.SWIGLU:
            content, gate = inner[: len(inner) // 2], inner[len(inner) // 2 :]
            content *= gate
            content *= np.tanh(gate * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
            return content
        if kind == FeedForwardActivation.GELU:  # x (1 + erf(x / sqrt 2)), its half folded into `outer`
            phi = inner * np.float32(sqrt(0.5))
            torch.from_numpy(phi).erf_()  # NumPy has none
            phi += np.float32(1)
            inner *= phi
            return inner
        if kind == FeedForwardActivation.GELU_TANH:
            bent = inner * (1 + np.float32(0.044715) * inner * inner) * np.float32(sqrt(2 / pi))
            return inner * np.float32(0.5) * (1 + np.tanh(bent))
        np.maximum(inner, 0, out=inner)
        return np.square(inner, out=inner) if kind == FeedForwardActivation.RELU2 else inner

    def row(self) -> Row:
        """The row as the model knows it."""
        back, parts = np.argsort(self.weights.order), []
        places = self._slots(min(self.position - self.begins, self.weights.plan.context))
        for keys, values in zip(self._keys, self._values, strict=True):
            kept = keys[:, :, places].transpose(0, 2, 1)[..., back], values[:, places, :-1]
            parts.append(tuple(torch.from_numpy(np.ascontiguousarray(one)) for one in kept))
        return Row(parts, self.position, self.begins)
