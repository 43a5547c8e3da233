"""The simple recurrent network (Elman 1990): h_t = f(W x_t + U h_{t-1} + b), f = tanh or relu.

With embedding 0 it is the network of the classic exercise: W, U, V, b, c and nothing else.
"""

from functools import partial

from torch import Tensor

from glassloom.kernels import See, rnn, rnn_steps
from glassloom.kernels.native import Cell
from glassloom.kernels.rnn import CELLS
from glassloom.models.contract import State
from glassloom.models.recurrent import RecurrentLayer, RecurrentModel
from glassloom.models.settings import RNNSettings


class RNNLayer(RecurrentLayer):
    """One layer of the plain recurrent network."""

    gates = 1
    settings: RNNSettings

    @property
    def cell(self) -> Cell:
        return CELLS[self.settings.activation]

    def run(
        self, inputs: Tensor, weight: Tensor | None, recurrent: Tensor, state: State, see: See | None
    ) -> tuple[Tensor, ...]:
        cell = rnn if see is None else partial(rnn_steps, see=see)
        activation = self.settings.activation
        return cell(inputs, weight, recurrent, self.total_bias(), state[0], activation)


class RNN(RecurrentModel):
    """The simple recurrent network as a language model.

    >>> import torch
    >>> model = RNN(RNNSettings(layers=1, width=8), vocabulary=5)
    >>> logits, state = model(torch.tensor([[0, 3, 1]]))
    >>> logits.shape, [part.shape for part in state]
    (torch.Size([1, 3, 5]), [torch.Size([1, 8])])
    """

    Settings = RNNSettings
    Layer = RNNLayer
