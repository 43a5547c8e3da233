import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.linear = nn.Linear(64, vocab_size)

    def forward(self, x, prev_state=None):
        output, state = self.lstm(self.embedding(x), prev_state)
        return self.linear(output), state


def build_model(vocab_size):
    return Model(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3)
