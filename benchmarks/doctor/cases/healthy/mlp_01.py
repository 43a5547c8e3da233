import torch
import torch.nn as nn
import torch.nn.functional as F


class MLP(nn.Module):
    def __init__(self, vocab_size, context=8, emb=12, hidden=64):
        super().__init__()
        self.context = context
        self.blank = vocab_size
        self.C = nn.Embedding(vocab_size + 1, emb)
        self.fc1 = nn.Linear(context * emb, hidden)
        self.fc2 = nn.Linear(hidden, vocab_size)

    def forward(self, idx):
        padded = F.pad(idx, (self.context - 1, 0), value=self.blank)
        windows = padded.unfold(1, self.context, 1)
        return self.fc2(torch.tanh(self.fc1(self.C(windows).flatten(-2))))


def build_model(vocab_size):
    return MLP(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=5e-3)
