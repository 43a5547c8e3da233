import torch
import torch.nn as nn

smoothed = nn.CrossEntropyLoss(label_smoothing=0.1)


class Net(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.e = nn.Embedding(vocab_size, 32)
        self.rnn = nn.LSTM(32, 64, batch_first=True)
        self.o = nn.Linear(64, vocab_size)

    def forward(self, x):
        return self.o(self.rnn(self.e(x))[0])


def build_model(vocab_size):
    return Net(vocab_size)


def compute_loss(logits, targets):
    return smoothed(logits.transpose(1, 2), targets)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=4e-3)


def train_step(model, optimizer, inputs, targets):
    loss = compute_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = max(group["lr"] * 0.999, 1e-3)
    return loss.item()
