import torch
import torch.nn as nn


class Attn(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.wq = nn.Linear(d, d)
        self.wk = nn.Linear(d, d)
        self.wv = nn.Linear(d, d)
        self.wo = nn.Linear(d, d)

    def forward(self, x):
        b, t, d = x.shape
        q = self.wq(x).reshape(b, t, self.h, -1)
        k = self.wk(x).reshape(b, t, self.h, -1)
        v = self.wv(x).reshape(b, t, self.h, -1)
        s = torch.einsum("bihd,bjhd->bhij", q, k) / (d / self.h) ** 0.5
        causal = torch.ones(t, t, dtype=torch.bool, device=x.device).tril()
        s = s.masked_fill(~causal, -1e9)
        p = s.softmax(dim=3)
        o = torch.einsum("bhij,bjhd->bihd", p, v).reshape(b, t, d)
        return self.wo(o)


class LM(nn.Module):
    def __init__(self, vocab_size, d=40, h=4, n=2, maxlen=256):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Parameter(torch.randn(maxlen, d) * 0.02)
        self.attn = nn.ModuleList(Attn(d, h) for _ in range(n))
        self.norm = nn.ModuleList(nn.LayerNorm(d) for _ in range(n))
        self.out = nn.Linear(d, vocab_size)

    def forward(self, ids):
        x = self.emb(ids) + self.pos[: ids.shape[1]]
        for a, n in zip(self.attn, self.norm):
            x = n(x + a(x))
        return self.out(x)


def build_model(vocab_size):
    return LM(vocab_size)
