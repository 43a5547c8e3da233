import torch
import torch.nn as nn


def build_model(vocab_size):
    return Exact(vocab_size).double()


class Exact(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.embed = nn.Embedding(V, 24)
        self.cells = nn.ModuleList([nn.GRUCell(24, 24), nn.GRUCell(24, 24)])
        self.head = nn.Linear(24, V)

    def forward(self, tokens):
        e = self.embed(tokens)
        a = b = torch.zeros_like(e[:, 0])
        out = []
        for t in range(tokens.size(1)):
            a = self.cells[0](e[:, t], a)
            b = self.cells[1](a, b)
            out.append(self.head(b))
        return torch.stack(out, 1)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)
