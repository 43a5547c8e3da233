import torch
import torch.nn as nn


class NextCharacter(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.dense = nn.Linear(64, vocab_size)

    def forward(self, x):
        x, _ = self.lstm(self.embedding(x))
        return self.dense(x)


def build_model(vocab_size):
    return NextCharacter(vocab_size)


def compute_loss(logits, targets):
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3e-3)
