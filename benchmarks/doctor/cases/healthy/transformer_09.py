import torch
import torch.nn as nn
import torch.nn.functional as F


def rotate(x, base=1000.0):
    n, d = x.shape[-2:]
    w = base ** (-torch.arange(0, d // 2, device=x.device).float() / (d // 2))
    a = torch.outer(torch.arange(n, device=x.device).float(), w)
    u, v = x.chunk(2, -1)
    return torch.cat([u * a.cos() - v * a.sin(), v * a.cos() + u * a.sin()], dim=-1)


class Rotary(nn.Module):
    def __init__(self, vocab_size, d=24, heads=3):
        super().__init__()
        self.heads = heads
        self.emb = nn.Embedding(vocab_size, d)
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.mlp = nn.Sequential(nn.Linear(d, 48), nn.SiLU(), nn.Linear(48, d))
        self.head = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.emb(x)
        q, k, v = (w(h).unflatten(-1, (self.heads, -1)).transpose(1, 2) for w in (self.wq, self.wk, self.wv))
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True)
        h = h + self.wo(y.transpose(1, 2).flatten(-2))
        return self.head(h + self.mlp(h))


def build_model(vocab_size):
    return Rotary(vocab_size)
