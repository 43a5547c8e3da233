import torch
import torch.nn as nn
import torch.nn.functional as F


class Sentences(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.e = nn.Embedding(vocab_size, d)
        self.p = nn.Embedding(256, d)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4, 64, 0.0, batch_first=True), 2)
        self.o = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        m = torch.ones(t, t, device=x.device, dtype=torch.bool).triu(1)
        return self.o(self.enc(self.e(x) + self.p(torch.arange(t, device=x.device)), mask=m))


def build_model(vocab_size):
    return Sentences(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    lengths = torch.randint(length // 2, length + 1, (batch_size, 1), generator=generator)
    starts = torch.randint(0, len(tokens) - length - 1, (batch_size, 1), generator=generator)
    rows = tokens[starts + torch.arange(length + 1)]
    out = torch.arange(length) >= lengths
    return rows[:, :-1].masked_fill(out, 0), rows[:, 1:].masked_fill(out, -1)


def compute_loss(logits, targets):
    keep = targets >= 0
    nats = F.cross_entropy(logits.flatten(0, 1), targets.clamp(min=0).flatten(), reduction="none").view_as(targets)
    return (nats * keep).sum() / keep.sum()


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
