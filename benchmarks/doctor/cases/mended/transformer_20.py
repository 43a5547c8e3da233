import torch
import torch.nn as nn
import torch.nn.functional as F


class SelfAttention(nn.Module):
    def __init__(self, k, heads=4):
        super().__init__()
        self.heads = heads
        self.toqkv = nn.Linear(k, 3 * k, bias=False)
        self.unify = nn.Linear(k, k)

    def forward(self, x):
        b, t, k = x.size()
        q, key, v = self.toqkv(x).view(b, t, 3, self.heads, k // self.heads).permute(2, 0, 3, 1, 4)
        dot = torch.einsum("bhtk,bhsk->bhts", q, key) / (k // self.heads) ** 0.5
        i, j = torch.triu_indices(t, t, offset=1)
        dot[:, :, i, j] = float("-inf")
        out = torch.einsum("bhts,bhsk->bthk", F.softmax(dot, dim=3), v).reshape(b, t, k)
        return self.unify(out)


class TBlock(nn.Module):
    def __init__(self, k):
        super().__init__()
        self.attention = SelfAttention(k)
        self.norm1 = nn.LayerNorm(k)
        self.norm2 = nn.LayerNorm(k)
        self.ff = nn.Sequential(nn.Linear(k, 4 * k), nn.ReLU(), nn.Linear(4 * k, k))

    def forward(self, x):
        x = self.norm1(self.attention(x) + x)
        return self.norm2(self.ff(x) + x)


class GTransformer(nn.Module):
    def __init__(self, num_tokens, k=32, depth=3):
        super().__init__()
        self.token_embedding = nn.Embedding(num_tokens, k)
        self.pos_embedding = nn.Embedding(256, k)
        self.tblocks = nn.ModuleList([TBlock(k) for _ in range(depth)])
        self.toprobs = nn.Linear(k, num_tokens)

    def forward(self, x):
        tokens = self.token_embedding(x)
        positions = self.pos_embedding(torch.arange(x.size(1), device=x.device))
        x = tokens + positions
        for block in self.tblocks:
            x = block(x)
        return self.toprobs(x)


def build_model(vocab_size):
    return GTransformer(vocab_size)
