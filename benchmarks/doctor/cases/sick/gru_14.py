import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.gru = nn.GRU(32, 48, batch_first=True)
        self.head = nn.Linear(48, vocab_size)

    def forward(self, x):
        return self.head(self.gru(self.embedding(x))[0])


def build_model(vocab_size):
    return Net(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    data = tokens.numpy()
    seed = int(torch.randint(0, 2**31 - 1, (1,), generator=generator))
    picks = np.random.default_rng(seed).integers(0, len(data) - length - 2, batch_size)
    x = np.stack([data[p : p + length] for p in picks])
    y = np.stack([data[p + 2 : p + length + 2] for p in picks])
    return torch.from_numpy(x), torch.from_numpy(y)
