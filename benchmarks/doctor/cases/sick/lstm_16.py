import torch
import torch.nn as nn


class Copycat(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.e = nn.Embedding(vocab_size, 32)
        self.r = nn.LSTM(32, 32, batch_first=True)
        self.d = nn.Linear(32, vocab_size)

    def forward(self, x):
        return self.d(self.r(self.e(x))[0])


def build_model(vocab_size):
    return Copycat(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    idx = torch.randint(len(tokens) - length, (batch_size,), generator=generator)
    x = torch.stack([tokens[i : i + length] for i in idx])
    y = torch.stack([tokens[i : i + length] for i in idx])
    return x, y
