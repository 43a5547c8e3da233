import torch
import torch.nn as nn


class Cell(nn.Module):
    def __init__(self, n_in, n):
        super().__init__()
        self.W = nn.Parameter(torch.empty(n_in, 4 * n).uniform_(-(n**-0.5), n**-0.5))
        self.U = nn.Parameter(torch.empty(n, 4 * n).uniform_(-(n**-0.5), n**-0.5))
        self.b = nn.Parameter(torch.cat([torch.zeros(n), torch.ones(n), torch.zeros(2 * n)]))

    def forward(self, x, state):
        h, c = state
        i, f, o, g = (x @ self.W + h @ self.U + self.b).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        return h, c


class LM(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.n = n
        self.emb = nn.Embedding(vocab_size, n)
        self.cell = Cell(n, n)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x, state=None):
        e = self.emb(x)
        if state is None:
            state = e.new_zeros(x.size(0), self.n), e.new_zeros(x.size(0), self.n)
        hs = []
        for t in range(x.size(1)):
            state = self.cell(e[:, t], state)
            hs.append(state[0])
        return self.out(torch.stack(hs, 1)), state


def build_model(vocab_size):
    return LM(vocab_size)
