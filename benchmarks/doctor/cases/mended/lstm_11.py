import torch
import torch.nn as nn
import torch.nn.functional as F


class Net(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.e = nn.Embedding(vocab_size, 32)
        self.l = nn.LSTM(32, 48, batch_first=True)
        self.o = nn.Linear(48, vocab_size)

    def forward(self, x):
        return self.o(self.l(self.e(x))[0])


def build_model(vocab_size):
    return Net(vocab_size)


def build_optimizer(model):
    return torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)


def train_step(model, optimizer, inputs, targets):
    model.train()
    logits = model(inputs)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    return loss
