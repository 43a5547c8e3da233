import torch
import torch.nn as nn


class StackedCells(nn.Module):
    def __init__(self, vocab_size, size=32, depth=3):
        super().__init__()
        self.size, self.depth = size, depth
        self.embed = nn.Embedding(vocab_size, size)
        self.cells = nn.ModuleList([nn.GRUCell(size, size) for _ in range(depth)])
        self.unembed = nn.Linear(size, vocab_size)

    def forward(self, tokens):
        hs = [torch.zeros(tokens.size(0), self.size, device=tokens.device) for _ in range(self.depth)]
        outs = []
        for x in self.embed(tokens).unbind(dim=1):
            for i, cell in enumerate(self.cells):
                hs[i] = cell(x, hs[i])
                x = hs[i]
            outs.append(x)
        return self.unembed(torch.stack(outs, dim=1))


def build_model(vocab_size):
    return StackedCells(vocab_size)
