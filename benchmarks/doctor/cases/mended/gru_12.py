import torch
import torch.nn as nn


class GRULM(nn.Module):
    def __init__(self, vocab_size, emb=32, hid=64):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, emb)
        self.gru = nn.GRU(emb, hid, batch_first=True)
        self.lin = nn.Linear(hid, vocab_size)

    def forward(self, x):
        o, h = self.gru(self.emb(x))
        return self.lin(o), h


def build_model(vocab_size):
    return GRULM(vocab_size)


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=1.0)
