import math

import torch
import torch.nn as nn


class StrictAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q = nn.Linear(d, d)
        self.k = nn.Linear(d, d)
        self.v = nn.Linear(d, d)

    def forward(self, x):
        t = x.size(1)
        s = self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(x.size(2))
        s = s + torch.full((t, t), float("-inf"), device=x.device).triu(1)
        return torch.softmax(s, -1) @ self.v(x)


class Net(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.e = nn.Embedding(vocab_size, d)
        self.p = nn.Embedding(300, d)
        self.a = nn.ModuleList([StrictAttention(d), StrictAttention(d)])
        self.o = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.e(x) + self.p(torch.arange(x.size(1), device=x.device))
        for a in self.a:
            h = h + a(h)
        return self.o(h)


def build_model(vocab_size):
    return Net(vocab_size)
