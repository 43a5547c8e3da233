import torch
import torch.nn as nn


class Regularised(nn.Module):
    def __init__(self, vocab_size, n=96):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, n)
        self.drop = nn.Dropout(0.65)
        self.lstm = nn.LSTM(n, n, 2, dropout=0.5, batch_first=True)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        y, state = self.lstm(self.drop(self.emb(x)))
        return self.out(self.drop(y)), state


def build_model(vocab_size):
    return Regularised(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
