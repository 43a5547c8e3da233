import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inp = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x):
        q, k, v = self.inp(x).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True))


class Lm(nn.Module):
    def __init__(self, vocab_size, width=40):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, width)
        self.pos = nn.Parameter(torch.randn(400, width) * 0.02)
        self.att = nn.ModuleList([Attention(width) for _ in range(2)])
        self.head = nn.Linear(width, vocab_size)

    def forward(self, x):
        h = self.emb(x) + self.pos[: x.size(1)]
        for a in self.att:
            h = h + a(F.layer_norm(h, h.shape[-1:]))
        return self.head(h)


def build_model(vocab_size):
    return Lm(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    starts = torch.randint(1, len(tokens) - length - 1, (batch_size, 1), generator=generator)
    windows = starts + torch.arange(length)
    return tokens[windows], tokens[windows + 1]
