import torch
import torch.nn as nn
import torch.nn.functional as F


class LinearAttention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v, self.o = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, x):
        q, k, v = F.elu(self.q(x)) + 1, F.elu(self.k(x)) + 1, self.v(x)
        kv = torch.cumsum(torch.einsum("btd,bte->btde", k, v), dim=1)
        z = 1 / (torch.einsum("btd,btd->bt", q, k.cumsum(1)) + 1e-6)
        return self.o(torch.einsum("btd,btde,bt->bte", q, kv, z))


class Performer(nn.Module):
    def __init__(self, vocab_size, d=24, n=2):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.att = nn.ModuleList(LinearAttention(d) for _ in range(n))
        self.norm = nn.ModuleList(nn.LayerNorm(d) for _ in range(n))
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.emb(x) + self.pos.weight[: x.size(1)]
        for a, n in zip(self.att, self.norm):
            h = h + a(n(h))
        return self.out(h)


def build_model(vocab_size):
    return Performer(vocab_size)
