import torch
import torch.nn as nn


class IRNN(nn.Module):
    def __init__(self, vocab_size, n=32):
        super().__init__()
        self.n = n
        self.inp = nn.Embedding(vocab_size, n)
        nn.init.normal_(self.inp.weight, std=1e-4)
        self.rec = nn.Linear(n, n, bias=False)
        nn.init.orthogonal_(self.rec.weight, gain=1.6)
        self.norm = nn.LayerNorm(n)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        h = torch.zeros(x.shape[0], self.n, device=x.device)
        ys = []
        for t in range(x.shape[1]):
            h = self.inp(x[:, t]) + self.rec(h)
            ys.append(h)
        return self.out(torch.stack(ys, 1) * 0.1)


def build_model(vocab_size):
    return IRNN(vocab_size)
