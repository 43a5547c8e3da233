import torch
from torch import nn


class SeqModel(nn.Module):
    def __init__(self, vocab_size, size=36):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, size)
        self.core = nn.LSTM(size, size, 2)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(size, vocab_size)

    def forward(self, x):
        bs, steps = x.shape
        e = self.emb(x).permute(1, 0, 2)
        y, (h, c) = self.core(e)
        y = self.out(self.drop(y))
        return y.reshape(bs, steps, -1)


def build_model(vocab_size):
    return SeqModel(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), 0.01)
