import torch
import torch.nn as nn


class LeakyGRU(nn.Module):
    def __init__(self, vocab_size, size=32, leak=0.99):
        super().__init__()
        self.leak = leak
        self.size = size
        self.emb = nn.Embedding(vocab_size, size)
        self.wz = nn.Linear(2 * size, size)
        self.wr = nn.Linear(2 * size, size)
        self.wn = nn.Linear(2 * size, size)
        self.head = nn.Linear(size, vocab_size)

    def step(self, x, h):
        h = (1 - self.leak) * h
        xh = torch.cat([x, h], dim=1)
        z = torch.sigmoid(self.wz(xh))
        r = torch.sigmoid(self.wr(xh))
        n = torch.tanh(self.wn(torch.cat([x, r * h], dim=1)))
        return (1 - z) * n + z * h

    def forward(self, idx):
        x = self.emb(idx)
        h = x.new_zeros(idx.size(0), self.size)
        hs = []
        for t in range(idx.size(1)):
            h = self.step(x[:, t], h)
            hs.append(h)
        return self.head(torch.stack(hs, 1)), h


def build_model(vocab_size):
    return LeakyGRU(vocab_size)
