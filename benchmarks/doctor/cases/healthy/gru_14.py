import torch.nn as nn
import torch.nn.functional as F


class GRULM(nn.Module):
    def __init__(self, vocab_size, n=36):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, n)
        self.gru = nn.GRU(n, n, batch_first=True)
        self.head = nn.Linear(n, vocab_size)

    def forward(self, x, h=None):
        y, h = self.gru(self.embed(x), h)
        return self.head(y), h


class Reader:
    at = 0
    h = None


def build_model(vocab_size):
    Reader.at, Reader.h = 0, None
    return GRULM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    lane = len(tokens) // batch_size
    rows = tokens[: lane * batch_size].view(batch_size, lane)
    if Reader.at + length + 1 > lane:
        Reader.at, Reader.h = 0, None
    a = Reader.at
    Reader.at += length
    return rows[:, a : a + length], rows[:, a + 1 : a + length + 1]


def train_step(model, optimizer, inputs, targets):
    h = Reader.h
    if h is not None and h.size(1) != inputs.size(0):
        h = None
    logits, h = model(inputs, h)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    Reader.h = h.detach()
    return loss.item()
