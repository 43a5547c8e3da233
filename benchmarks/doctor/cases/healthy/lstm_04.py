import torch
import torch.nn as nn


class Bf16LSTM(nn.Module):
    def __init__(self, vocab_size, n=48):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, n)
        self.lstm = nn.LSTM(n, n, batch_first=True)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        return self.out(self.lstm(self.embed(x))[0])


def build_model(vocab_size):
    return Bf16LSTM(vocab_size).to(torch.bfloat16)


def compute_loss(logits, targets):
    return nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=1.0)
