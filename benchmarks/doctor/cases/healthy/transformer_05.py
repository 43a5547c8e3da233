import math

import torch
import torch.nn as nn


class PostNorm(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.d = d
        self.embedding = nn.Embedding(vocab_size, d)
        self.positions = nn.Parameter(torch.randn(1, 512, d) * 0.1)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4, 4 * d, 0.1, batch_first=True), 3)
        self.linear = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.embedding(x) * math.sqrt(self.d) + self.positions[:, : x.size(1)]
        mask = nn.Transformer.generate_square_subsequent_mask(x.size(1), device=x.device)
        return self.linear(self.encoder(h, mask=mask))


def build_model(vocab_size):
    return PostNorm(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
