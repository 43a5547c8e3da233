import torch
import torch.nn as nn


class Universal(nn.Module):
    def __init__(self, vocab_size, d=32, rounds=6):
        super().__init__()
        self.rounds = rounds
        self.embed = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.block = nn.TransformerEncoderLayer(d, 4, 2 * d, dropout=0.0, batch_first=True, norm_first=True)
        self.out = nn.Sequential(nn.LayerNorm(d), nn.Linear(d, vocab_size))

    def forward(self, x):
        t = x.shape[1]
        mask = torch.full((t, t), float("-inf"), device=x.device).triu(1)
        h = self.embed(x) + self.pos(torch.arange(t, device=x.device))
        for _ in range(self.rounds):
            h = self.block(h, src_mask=mask)
        return self.out(h)


def build_model(vocab_size):
    return Universal(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
