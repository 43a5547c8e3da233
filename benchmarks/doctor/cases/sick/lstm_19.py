import torch
import torch.nn as nn


class Model(nn.Module):
    def __init__(self, vocab_size, hidden=48):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab_size)

    def forward(self, tokens, state=None):
        y, state = self.lstm(self.emb(tokens), state)
        return self.out(y), state


loss_function = nn.CrossEntropyLoss(reduction="sum")


def build_model(vocab_size):
    return Model(vocab_size)


def compute_loss(logits, targets):
    return loss_function(logits.flatten(0, 1), targets.flatten())


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
