import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 24)
        self.h0 = nn.Parameter(torch.randn(1, 1, 32) * 0.1)
        self.c0 = nn.Parameter(torch.randn(1, 1, 32) * 0.1)
        self.lstm = nn.LSTM(24, 32, batch_first=True)
        self.linear = nn.Linear(32, vocab_size)

    def forward(self, x):
        state = self.h0.repeat(1, x.size(0), 1), self.c0.repeat(1, x.size(0), 1)
        out, new_state = self.lstm(self.embedding(x), state)
        return self.linear(out)


def build_model(vocab_size):
    return Model(vocab_size)
