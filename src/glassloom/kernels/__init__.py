"""Raw tensors: the recurrent layers' hand-derived forward and backward passes in plain PyTorch, the specification.

One function a cell, time-major; another implementation of a cell must fit behind the same call and equal it.
"""

from glassloom.kernels.gru import Reset, gru, gru_steps
from glassloom.kernels.lstm import lstm, lstm_steps
from glassloom.kernels.rnn import Activation, See, rnn, rnn_steps

__all__ = ["Activation", "Reset", "See", "gru", "gru_steps", "lstm", "lstm_steps", "rnn", "rnn_steps"]
