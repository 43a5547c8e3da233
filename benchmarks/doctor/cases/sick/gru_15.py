import torch
import torch.nn as nn
import torch.nn.functional as F


class RNNDecoder(nn.Module):
    def __init__(self, vocab_size, h=40):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, h)
        self.gru = nn.GRU(h, h, batch_first=True)
        self.out = nn.Linear(h, vocab_size)

    def forward(self, x, h=None):
        y, h = self.gru(F.relu(self.embed(x)), h)
        return self.out(y), h


def build_model(vocab_size):
    return RNNDecoder(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.004)


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    logits, _ = model(inputs)
    loss = F.cross_entropy(logits[0], targets[0])
    loss.backward()
    optimizer.step()
    return loss.item()
