import torch
import torch.nn as nn
from torch.nn import functional as F

n_embd = 32
head_size = 16
block_size = 48


class Head(nn.Module):
    """ one head of self-attention """

    def __init__(self):
        super().__init__()
        self.key = nn.Linear(n_embd, head_size, bias=False)
        self.query = nn.Linear(n_embd, head_size, bias=False)
        self.value = nn.Linear(n_embd, head_size, bias=False)
        self.register_buffer('allowed', torch.tril(torch.ones(block_size, block_size)))

    def forward(self, x):
        T = x.shape[1]
        k, q, v = self.key(x), self.query(x), self.value(x)
        wei = torch.einsum('bid,bjd->bij', q, k) * head_size ** -0.5
        wei = wei.masked_fill(self.allowed[:T, :T] == 0, float('-inf'))
        return torch.einsum('bij,bjd->bid', F.softmax(wei, -1), v)


class Model(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.te = nn.Embedding(V, n_embd)
        self.pe = nn.Embedding(block_size, n_embd)
        self.heads = nn.ModuleList([Head() for _ in range(2)])
        self.ff = nn.Sequential(nn.Linear(n_embd, 64), nn.ReLU(), nn.Linear(64, n_embd))
        self.lm = nn.Linear(n_embd, V)

    def forward(self, idx):
        x = self.te(idx) + self.pe(torch.arange(idx.shape[1], device=idx.device))
        x = x + torch.cat([h(x) for h in self.heads], -1)
        x = x + self.ff(x)
        return self.lm(x)


def build_model(vocab_size):
    return Model(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3)
