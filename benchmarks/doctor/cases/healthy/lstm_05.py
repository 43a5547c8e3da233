import torch
import torch.nn as nn


class Big(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.out = nn.Linear(32, vocab_size)

    def forward(self, x):
        return self.out(self.lstm(self.embed(x))[0])


def build_model(vocab_size):
    return Big(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.005)
