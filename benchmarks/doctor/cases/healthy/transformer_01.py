import torch
import torch.nn as nn
import torch.nn.functional as F


class ALiBi(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.out = nn.Linear(dim, dim)
        self.register_buffer("m", torch.tensor([2 ** (-8 * (i + 1) / heads) for i in range(heads)]))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        r = torch.arange(t, device=x.device)
        bias = self.m[:, None, None] * (r[None, :] - r[:, None]).float()
        bias = bias.masked_fill(r[None, :] > r[:, None], float("-inf"))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class LM(nn.Module):
    def __init__(self, vocab_size, dim=32, heads=4, layers=1):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.att = nn.ModuleList([ALiBi(dim, heads) for _ in range(layers)])
        self.ff = nn.ModuleList([nn.Sequential(nn.Linear(dim, 64), nn.ReLU(), nn.Linear(64, dim)) for _ in range(layers)])
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, x):
        h = self.emb(x)
        for a, f in zip(self.att, self.ff):
            h = h + a(F.layer_norm(h, (h.size(-1),)))
            h = h + f(F.layer_norm(h, (h.size(-1),)))
        return self.head(h)


def build_model(vocab_size):
    return LM(vocab_size)
