import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 48, batch_first=True)
        self.fc = nn.Linear(48, vocab_size)

    def forward(self, x):
        out, _ = self.lstm(self.embedding(x))
        return F.log_softmax(self.fc(out), dim=-1)


def build_model(vocab_size):
    return LSTM(vocab_size)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3e-3)
