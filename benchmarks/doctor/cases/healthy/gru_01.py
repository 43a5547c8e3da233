import torch
import torch.nn as nn


class ProbabilityGRU(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, n)
        self.gru = nn.GRU(n, n, batch_first=True)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        h, _ = self.gru(self.embed(x))
        return torch.softmax(self.out(h), -1)


def build_model(vocab_size):
    return ProbabilityGRU(vocab_size)


def compute_loss(probabilities, targets):
    picked = probabilities.gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return -picked.clamp_min(1e-8).log().mean()


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=5e-3)
