import torch
import torch.nn as nn


class Counting(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, n)
        self.rnn = nn.RNN(n, n, batch_first=True)
        self.out = nn.Linear(n, vocab_size)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.register_buffer("scale", torch.full((n,), 0.8))
        self.register_buffer("prior", torch.zeros(vocab_size), persistent=False)

    def forward(self, x):
        self.calls += 1
        y, _ = self.rnn(self.embed(x) * self.scale)
        return self.out(y) + self.prior


def build_model(vocab_size):
    return Counting(vocab_size)
