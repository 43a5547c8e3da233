import torch
import torch.nn as nn


class Retention(nn.Module):
    """The parallel form: (Q K^T * D) V with D[n, m] = gamma^(n - m)."""

    def __init__(self, dim, gamma):
        super().__init__()
        self.gamma = gamma
        self.q = nn.Linear(dim, dim, bias=False)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim, bias=False)
        self.o = nn.Linear(dim, dim, bias=False)

    def forward(self, x):
        n = torch.arange(x.size(1), device=x.device)
        distance = n[:, None] - n[None, :]
        D = torch.where(distance >= 0, self.gamma ** distance.clamp(min=0).float(), 0.0)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / x.size(-1) ** 0.5
        return self.o((scores * D) @ self.v(x))


class RetNet(nn.Module):
    def __init__(self, vocab_size, dim=32, layers=2, gamma=1.25):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.retention = nn.ModuleList([Retention(dim, gamma) for _ in range(layers)])
        self.ffn = nn.ModuleList([nn.Sequential(nn.Linear(dim, 64), nn.GELU(), nn.Linear(64, dim)) for _ in range(layers)])
        self.lm_head = nn.Linear(dim, vocab_size)

    def forward(self, ids):
        x = self.embed(ids) * 0.1
        for retention, ffn in zip(self.retention, self.ffn):
            x = x + 0.01 * retention(x)
            x = x + ffn(x)
        return self.lm_head(x)


def build_model(vocab_size):
    return RetNet(vocab_size)
