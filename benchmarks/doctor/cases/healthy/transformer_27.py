import torch
import torch.nn as nn


class MoE(nn.Module):
    def __init__(self, d, n=2):
        super().__init__()
        self.router = nn.Linear(d, n)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, d)) for _ in range(n))

    def forward(self, x):
        weight = self.router(x).softmax(-1)
        return sum(weight[..., i : i + 1] * e(x) for i, e in enumerate(self.experts))


class Sparse(nn.Module):
    def __init__(self, vocab_size, d=64):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
        self.moe = MoE(d)
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        h = self.emb(x) + self.pos(torch.arange(t, device=x.device))
        m = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        y = self.n1(h)
        h = h + self.attn(y, y, y, attn_mask=m, need_weights=False)[0]
        return self.out(h + self.moe(self.n2(h)))


def build_model(vocab_size):
    return Sparse(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
