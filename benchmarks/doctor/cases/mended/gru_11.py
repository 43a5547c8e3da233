import torch
import torch.nn as nn


class AttentiveGRU(nn.Module):
    def __init__(self, vocab_size, size=48):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, size)
        self.gru = nn.GRU(size, size, batch_first=True)
        self.query = nn.Linear(size, size, bias=False)
        self.key = nn.Linear(size, size, bias=False)
        self.combine = nn.Linear(2 * size, size)
        self.head = nn.Linear(size, vocab_size)

    def forward(self, x):
        h, _ = self.gru(self.embed(x))
        scores = torch.einsum("btd,bsd->bts", self.query(h), self.key(h))
        T = x.size(1)
        scores = scores.masked_fill(torch.ones(T, T, device=x.device).triu(1).bool(), float("-inf"))
        context = scores.softmax(-1) @ h
        return self.head(torch.tanh(self.combine(torch.cat([h, context], -1))))


def build_model(vocab_size):
    return AttentiveGRU(vocab_size)
