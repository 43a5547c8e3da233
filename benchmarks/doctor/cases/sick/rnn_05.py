import math

import torch.nn as nn


class ElmanNet(nn.Module):
    def __init__(self, vocab_size, hidden=64):
        super().__init__()
        self.scale = math.sqrt(hidden) * 8
        self.embed = nn.Embedding(vocab_size, 32)
        self.rnn = nn.RNN(32, hidden, batch_first=True)
        self.norm = nn.LayerNorm(hidden)
        self.proj = nn.Linear(hidden, vocab_size)

    def forward(self, x):
        h, _ = self.rnn(self.embed(x))
        return self.proj(self.norm(h)) * self.scale


def build_model(vocab_size):
    return ElmanNet(vocab_size)
