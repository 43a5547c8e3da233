import math

import torch
import torch.nn as nn


class Lm(nn.Module):
    def __init__(self, vocab_size, dim=48):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, dim)
        self.layer = nn.TransformerEncoderLayer(dim, 4, 96, dropout=0.0, batch_first=True)
        self.linear = nn.Linear(dim, vocab_size)
        angle = torch.arange(512)[:, None] * torch.exp(torch.arange(0, dim, 2) * (-math.log(1e4) / dim))
        table = torch.zeros(512, dim)
        table[:, 0::2] = angle.sin()
        table[:, 1::2] = angle.cos()
        self.register_buffer("table", table, persistent=False)

    def forward(self, x):
        h = self.embedding(x)
        h = h.add(self.table[: x.size(1)])
        mask = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
        return self.linear(self.layer(h, src_mask=mask))


def build_model(vocab_size):
    return Lm(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
