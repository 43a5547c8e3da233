import torch
import torch.nn as nn
import torch.nn.functional as F


class AlibiAttention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.register_buffer("slopes", 2.0 ** torch.arange(heads).add(2.6).view(heads, 1, 1))

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        distance = torch.arange(t, device=x.device)[:, None] - torch.arange(t, device=x.device)
        bias = (-self.slopes * distance).masked_fill(distance < 0, float("-inf"))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        return self.out(y.transpose(1, 2).reshape(b, t, d))


class AlibiLM(nn.Module):
    def __init__(self, vocab_size, dim=32, heads=4, depth=2):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.attentions = nn.ModuleList(AlibiAttention(dim, heads) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(depth))
        self.head = nn.Linear(dim, vocab_size)

    def forward(self, x):
        h = self.embed(x)
        for norm, attention in zip(self.norms, self.attentions, strict=True):
            h = h + attention(norm(h))
        return self.head(h)


def build_model(vocab_size):
    return AlibiLM(vocab_size)
