import torch
import torch.nn as nn
import torch.nn.functional as F


class Norm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        x = (x - x.mean()) / (x.std() + 1e-5)
        return self.scale * x + self.bias


class Layer(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = Norm(width)
        self.norm2 = Norm(width)
        self.into = nn.Linear(width, 3 * width)
        self.back = nn.Linear(width, width)
        self.ff1 = nn.Linear(width, 2 * width)
        self.ff2 = nn.Linear(2 * width, width)

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = (p.view(b, t, self.heads, -1).transpose(1, 2) for p in self.into(self.norm1(x)).chunk(3, -1))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.back(a.transpose(1, 2).reshape(b, t, w))
        return x + self.ff2(F.silu(self.ff1(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, vocabulary, width=32, heads=2, depth=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(0.1 * torch.randn(300, width))
        self.layers = nn.ModuleList([Layer(width, heads) for _ in range(depth)])
        self.unembed = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        for layer in self.layers:
            x = layer(x)
        return self.unembed(x)


def build_model(vocab_size):
    return Transformer(vocab_size)
