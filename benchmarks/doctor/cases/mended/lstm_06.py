import torch
import torch.nn as nn


class LSTMLM(nn.Module):
    def __init__(self, vocab_size, hidden=32, layers=2):
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.emb = nn.Embedding(vocab_size, hidden)
        self.lstm = nn.LSTM(hidden, hidden, layers, batch_first=True)
        self.out = nn.Linear(hidden, vocab_size)

    def init_hidden(self, batch, like):
        shape = (self.layers, batch, self.hidden)
        return torch.zeros(shape).to(like), torch.zeros(shape).to(like)

    def forward(self, x, state=None):
        e = self.emb(x)
        if state is None:
            state = self.init_hidden(x.size(0), e)
        y, state = self.lstm(e, state)
        return self.out(y), state


def build_model(vocab_size):
    return LSTMLM(vocab_size)
