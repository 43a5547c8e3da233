import copy

import torch
from torch import nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x):
        return self.o(F.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x), is_causal=True))


class Layer(nn.Module):
    def __init__(self, d, attention, feed_forward):
        super().__init__()
        self.attention = attention
        self.feed_forward = feed_forward
        self.norm1 = nn.LayerNorm(d)
        self.norm2 = nn.LayerNorm(d)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class Annotated(nn.Module):
    def __init__(self, vocab, d=32, N=3):
        super().__init__()
        self.src_embed = nn.Embedding(vocab, d)
        self.pe = nn.Parameter(torch.randn(1, 160, d) * 0.02)
        attn = Attention(d)
        ff = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, d))
        self.layers = nn.ModuleList([Layer(d, copy.deepcopy(attn), copy.deepcopy(ff)) for _ in range(N)])
        self.generator = nn.Linear(d, vocab)

    def forward(self, src):
        x = self.src_embed(src) + self.pe[:, : src.size(1)]
        for layer in self.layers:
            x = layer(x)
        return self.generator(x)


def build_model(vocab_size):
    return Annotated(vocab_size)
