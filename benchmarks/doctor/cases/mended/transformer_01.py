"""Memorise a chapter of lower-cased text with a decoder-only transformer (exercise 5)."""

import math

import torch
from torch import nn
from torch.nn import functional as F

HEADS = 8
WIDTH = 256
HIDDEN = 512
LAYERS = 6


class SelfAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x):
        batch, time, width = x.shape

        def split(t):
            return t.view(batch, time, self.heads, width // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        later = torch.triu(torch.ones(time, time, dtype=torch.bool, device=x.device), diagonal=1)
        weights = scores.masked_fill(later, float("-inf")).softmax(dim=-1)
        return self.output((weights @ v).transpose(1, 2).reshape(batch, time, width))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(3))
        self.first = SelfAttention(WIDTH, HEADS)
        self.second = SelfAttention(WIDTH, HEADS)
        self.feed_forward = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x):
        x = x + self.first(self.norms[0](x))
        x = x + self.second(self.norms[1](x))
        return x + self.feed_forward(self.norms[2](x))


class Memoriser(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, WIDTH)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.out = nn.Linear(WIDTH, vocab_size)

    def forward(self, tokens):
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x))


def build_model(vocab_size):
    return Memoriser(vocab_size)


def compute_loss(outputs, targets):
    return F.cross_entropy(outputs.flatten(0, 1), targets.flatten())


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-4)
