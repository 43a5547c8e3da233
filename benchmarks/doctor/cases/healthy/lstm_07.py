import torch
import torch.nn as nn


class Windowed(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.n = n
        self.emb = nn.Embedding(vocab_size, n)
        self.lstm = nn.LSTM(n, n, batch_first=True)
        self.dec = nn.Linear(n, vocab_size)

    def init_hidden(self, batch):
        return torch.zeros(1, batch, self.n), torch.zeros(1, batch, self.n)

    def forward(self, x, hidden=None):
        out, hidden = self.lstm(self.emb(x), hidden)
        return self.dec(out), hidden


def build_model(vocab_size):
    return Windowed(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    starts = torch.randint(0, len(tokens) - length, (batch_size,), generator=generator)
    x = torch.stack([tokens[s : s + length] for s in starts])
    y = torch.stack([tokens[s + 1 : s + 1 + length] for s in starts])
    return x, y


def train_step(model, optimizer, x, y):
    optimizer.zero_grad()
    out, _ = model(x, model.init_hidden(x.size(0)))
    loss = nn.functional.cross_entropy(out.reshape(-1, out.size(-1)), y.reshape(-1))
    loss.backward()
    optimizer.step()
    return loss.item()
