import torch
import torch.nn as nn


class UnitRNN(nn.Module):
    def __init__(self, vocab_size, n=32):
        super().__init__()
        self.n = n
        self.inp = nn.Embedding(vocab_size, n)
        self.rec = nn.Linear(n, n)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        h = torch.zeros(x.size(0), self.n, device=x.device)
        ys = []
        for t in range(x.size(1)):
            h = torch.tanh(self.inp(x[:, t]) + self.rec(h))
            ys.append(h)
        return self.out(torch.stack(ys, 1))


def build_model(vocab_size):
    return UnitRNN(vocab_size)
