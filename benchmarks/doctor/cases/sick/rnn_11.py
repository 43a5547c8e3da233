import math

import torch.nn as nn


class TanhRNN(nn.Module):
    def __init__(self, vocab_size, width=128):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, width)
        nn.init.normal_(self.embed.weight, std=0.05)
        self.rnn = nn.RNN(width, width, batch_first=True)
        nn.init.normal_(self.rnn.weight_hh_l0, std=3.0 / math.sqrt(width))
        self.linear = nn.Linear(width, vocab_size)

    def forward(self, x):
        y, h = self.rnn(self.embed(x))
        return self.linear(y), h


def build_model(vocab_size):
    return TanhRNN(vocab_size)
