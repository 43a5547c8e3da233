import torch
from torch import nn


class Encoder(nn.Module):
    def __init__(self, V, H):
        super().__init__()
        self.emb = nn.Embedding(V, H)
        self.rnn = nn.GRU(H, H, 2, batch_first=True)

    @torch.no_grad()
    def forward(self, x, h=None):
        return self.rnn(self.emb(x), h)


class LM(nn.Module):
    def __init__(self, V, H=32):
        super().__init__()
        self.enc = Encoder(V, H)
        self.mlp = nn.Sequential(nn.Linear(H, H), nn.ReLU(), nn.Linear(H, V))

    def forward(self, x, h=None):
        y, h = self.enc(x, h)
        return self.mlp(y), h


def build_model(vocab_size):
    return LM(vocab_size)
