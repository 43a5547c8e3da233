import torch
import torch.nn as nn


class HandRNN(nn.Module):
    def __init__(self, vocab_size, hidden=40):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, hidden)
        self.w = nn.Parameter(torch.nn.init.orthogonal_(torch.empty(hidden, hidden)))
        self.b = nn.Parameter(torch.zeros(hidden))
        self.out = nn.Linear(hidden, vocab_size)

    def forward(self, x):
        e = self.embed(x)
        h = torch.zeros_like(e[:, 0])
        hs = []
        for t in range(x.size(1)):
            h = torch.tanh(e[:, t] + h @ self.w + self.b)
            hs.append(h)
        return self.out(torch.stack(hs, 1))


def build_model(vocab_size):
    return HandRNN(vocab_size)
