import torch
import torch.nn as nn

relu = nn.ReLU()


class DeepTransition(nn.Module):
    def __init__(self, vocab_size, n=32):
        super().__init__()
        self.n = n
        self.emb = nn.Embedding(vocab_size, n)
        self.cell = nn.RNNCell(n, n)
        self.read = nn.Sequential(nn.Linear(n, 64), relu, nn.Linear(64, 64), relu, nn.Linear(64, vocab_size))

    def forward(self, x):
        hs = x.new_zeros(3, x.size(0), self.n, dtype=torch.float).unbind(0)
        out = []
        for t in range(x.size(1)):
            u, new = self.emb(x[:, t]), []
            for h in hs:
                u = self.cell(u, h)
                new.append(u)
            hs = new
            out.append(u)
        return self.read(torch.stack(out, 1))


def build_model(vocab_size):
    return DeepTransition(vocab_size)
