import torch
import torch.nn as nn
import torch.nn.functional as F


class M(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.fc = nn.Linear(32, vocab_size)

    def forward(self, x):
        return self.fc(self.lstm(self.emb(x))[0])


def build_model(vocab_size):
    return M(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    log_likelihood = -F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())
    log_likelihood.backward()
    optimizer.step()
    return -log_likelihood.item()
