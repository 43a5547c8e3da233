"""The gated recurrent unit (Cho et al. 2014), with the reset gate before or after the recurrent product.

    before: n = tanh(W x + U (r h) + b),        h' = (1 - z) h + z n      (the paper)
    after:  n = tanh(W x + b + r (U h + c)),    h' = (1 - z) n + z h      (cuDNN, torch.nn.GRU)

"after" needs one product less that waits for another; "before" lets a closed gate hide parts of the past from each
other. The other equations, and both backward passes, stand in `glassloom.kernels.gru`.
"""

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glassloom.kernels import See, gru, gru_steps
from glassloom.kernels.gru import CELLS
from glassloom.kernels.native import Cell
from glassloom.kernels.plan import Map, RecurrentLayerPlan
from glassloom.models.contract import State
from glassloom.models.recurrent import RecurrentLayer, RecurrentModel
from glassloom.models.settings import GRUSettings


class GRULayer(RecurrentLayer):
    """One layer of gated recurrent units, in either form."""

    gates = 3
    settings: GRUSettings

    def __init__(self, inputs: int, width: int, settings: GRUSettings) -> None:
        super().__init__(inputs, width, settings)
        if settings.reset == "after" and self.recurrent_bias is None:
            self.recurrent_bias = nn.Parameter(torch.zeros(width))

    @property
    def cell(self) -> Cell:
        return CELLS[self.settings.reset]

    def run(
        self, inputs: Tensor, weight: Tensor | None, recurrent: Tensor, state: State, see: See | None
    ) -> tuple[Tensor, ...]:
        cell = gru if see is None else partial(gru_steps, see=see)
        if self.settings.reset == "before":
            return cell(inputs, weight, recurrent, self.total_bias(), state[0], "before")
        bias, candidate = self.biases()
        return cell(inputs, weight, recurrent, bias, state[0], "after", candidate)

    def biases(self) -> tuple[Tensor, Tensor]:
        """With the reset after the product: what is added to the gates, and inside the reset gate to the candidate."""
        assert self.recurrent_bias is not None
        bias: Tensor = self.bias
        gates, candidate = self.recurrent_bias[: -self.width], self.recurrent_bias[-self.width :]
        if len(gates):  # of two biases a gate, only the candidate's second stays inside the reset gate
            bias = bias + F.pad(gates, (0, self.width))
        return bias, candidate

    def plan(self) -> RecurrentLayerPlan:
        weight, width = self.recurrent_weight, self.width
        if self.settings.reset == "before":
            inputs, gates = Map(self.input_weight, self.total_bias()), 2 * width
            return RecurrentLayerPlan(width, inputs, Map(weight[:gates]), Map(weight[gates:]))
        bias, candidate = self.biases()
        return RecurrentLayerPlan(width, Map(self.input_weight, bias), Map(weight, F.pad(candidate, (2 * width, 0))))


class GRU(RecurrentModel):
    """The gated recurrent unit as a language model.

    >>> import torch
    >>> model = GRU(GRUSettings(layers=2, width=8), vocabulary=5)
    >>> logits, state = model(torch.tensor([[0, 3, 1]]))
    >>> logits.shape, len(state)
    (torch.Size([1, 3, 5]), 2)
    """

    Settings = GRUSettings
    Layer = GRULayer
