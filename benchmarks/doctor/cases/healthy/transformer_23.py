import torch
import torch.nn as nn
import torch.nn.functional as F


class MQA(nn.Module):
    def __init__(self, d, heads, size=8):
        super().__init__()
        self.q = nn.Parameter(torch.randn(d, heads, size) / d**0.5)
        self.k = nn.Parameter(torch.randn(d, size) / d**0.5)
        self.v = nn.Parameter(torch.randn(d, size) / d**0.5)
        self.o = nn.Parameter(torch.randn(heads, size, d) / (heads * size) ** 0.5)
        self.scale = nn.Parameter(torch.ones(heads))

    def forward(self, x):
        q = F.normalize(torch.einsum("btd,dhe->bhte", x, self.q), dim=-1)
        k = F.normalize(torch.einsum("btd,de->bte", x, self.k), dim=-1)
        v = torch.einsum("btd,de->bte", x, self.v)
        s = torch.einsum("bhte,bse->bhts", q, k) * self.scale[:, None, None] * 3
        t = x.size(1)
        s = s.masked_fill(torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1), -torch.inf)
        return torch.einsum("bhts,bse,hed->btd", s.softmax(-1), v, self.o)


class Net(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.att = nn.ModuleList([MQA(d, 4), MQA(d, 4)])
        self.ff = nn.ModuleList([nn.Sequential(nn.Linear(d, 64), nn.GELU(), nn.Linear(64, d)) for _ in range(2)])
        self.head = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.emb(x) + self.pos.weight[: x.size(1)]
        for a, f in zip(self.att, self.ff):
            h = h + a(F.layer_norm(h, h.shape[-1:]))
            h = h + f(F.layer_norm(h, h.shape[-1:]))
        return self.head(F.layer_norm(h, h.shape[-1:]))


def build_model(vocab_size):
    return Net(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
