import math

import torch
import torch.nn as nn


class LocalTransformer(nn.Module):
    def __init__(self, vocab_size, d=32, window=8):
        super().__init__()
        self.window = window
        self.emb = nn.Embedding(vocab_size, d)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(d, 2, 64, 0.0, batch_first=True) for _ in range(2))
        self.out = nn.Linear(d, vocab_size)

    @staticmethod
    def sinusoid(n, d, device):
        a = torch.arange(n, device=device)[:, None] / 10000 ** (torch.arange(0, d, 2, device=device) / d)
        return torch.stack([a.sin(), a.cos()], -1).reshape(n, d)

    def forward(self, x):
        b, t = x.shape
        i = torch.arange(t, device=x.device)
        gap = i[:, None] - i[None, :]
        h = self.emb(x) * math.sqrt(self.emb.embedding_dim) + self.sinusoid(t, self.emb.embedding_dim, x.device)
        for layer in self.layers:
            h = layer(h, src_mask=(gap < 0) | (gap >= self.window))
        return self.out(h)


def build_model(vocab_size):
    return LocalTransformer(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
