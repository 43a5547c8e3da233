import torch
from torch import nn


class CellLSTM(nn.Module):
    def __init__(self, vocab_size, n=32):
        super().__init__()
        self.n = n
        self.embedding = nn.Embedding(vocab_size, n)
        self.cell = nn.LSTMCell(n, n)
        self.norm = nn.LayerNorm(n)
        self.decoder = nn.Linear(n, vocab_size)

    def forward(self, tokens):
        emb = self.embedding(tokens)
        hx = emb.new_zeros(tokens.size(0), self.n)
        cx = emb.new_zeros(tokens.size(0), self.n)
        hs = []
        for step in emb.unbind(1):
            hx, cx = self.cell(step, (hx, cx))
            hs.append(hx)
        return self.decoder(self.norm(torch.stack(hs, 1)))


def build_model(vocab_size):
    return CellLSTM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    starts = torch.randint(0, len(tokens) - length - 1, (batch_size,), generator=generator)
    rows = torch.stack([tokens[s : s + length + 1] for s in starts])
    return rows[:, :-1], rows[:, 1:]
