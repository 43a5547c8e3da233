"""Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers et al. 2000).

    c' = f c + i n,   h' = o tanh(c')

with gates i, f, o and candidate n from x and h; the equations and their backward pass are in `glassloom.kernels.lstm`.
A forget gate that starts open (bias 1, Jozefowicz et al. 2015) lets gradients pass from the first step on.
"""

from functools import partial

import torch
from torch import Tensor

from glassloom.kernels import See, lstm, lstm_steps
from glassloom.kernels.native import Cell
from glassloom.models.contract import State
from glassloom.models.recurrent import RecurrentLayer, RecurrentModel
from glassloom.models.settings import LSTMSettings


class LSTMLayer(RecurrentLayer):
    """One layer of long short-term memory."""

    gates = 4
    states = ("hidden", "cell")
    cell = Cell.LSTM

    def run(
        self, inputs: Tensor, weight: Tensor | None, recurrent: Tensor, state: State, see: See | None
    ) -> tuple[Tensor, ...]:
        cell = lstm if see is None else partial(lstm_steps, see=see)
        return cell(inputs, weight, recurrent, self.total_bias(), state[0], state[1])


class LSTM(RecurrentModel):
    """Long short-term memory as a language model; the state is every layer's hidden vector, then every layer's cell.

    >>> model = LSTM(LSTMSettings(layers=1, width=8), vocabulary=5)
    >>> logits, (hidden, cell) = model(torch.tensor([[0, 3, 1]]))
    >>> logits.shape, cell.shape
    (torch.Size([1, 3, 5]), torch.Size([1, 8]))
    """

    Settings = LSTMSettings
    Layer = LSTMLayer

    def __init__(self, settings: LSTMSettings, vocabulary: int, generator: torch.Generator | None = None) -> None:
        super().__init__(settings, vocabulary, generator)
        with torch.no_grad():
            for layer in self.stack:
                layer.bias[layer.width : 2 * layer.width] += settings.forget_bias
