from typing import NamedTuple

import torch
import torch.nn as nn


class Output(NamedTuple):
    logits: torch.Tensor
    state: torch.Tensor


class NamedGRU(nn.Module):
    def __init__(self, vocab_size, n=32):
        super().__init__()
        self.e = nn.Embedding(vocab_size, n)
        self.g = nn.GRU(n, n, batch_first=True)
        self.o = nn.Linear(n, vocab_size)

    def forward(self, tokens, state=None):
        y, state = self.g(self.e(tokens), state)
        return Output(self.o(y), state)


def build_model(vocab_size):
    return NamedGRU(vocab_size)
