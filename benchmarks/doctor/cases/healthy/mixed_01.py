import torch
import torch.nn as nn
import torch.nn.functional as F


class Hybrid(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d)
        self.conv = nn.Conv1d(d, d, 4, groups=d)
        self.gru = nn.GRU(d, d, batch_first=True)
        self.attn = nn.MultiheadAttention(d, 2, batch_first=True)
        self.norms = nn.ModuleList(nn.LayerNorm(d) for _ in range(3))
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        h = self.embed(x)
        h = h + F.silu(self.conv(F.pad(self.norms[0](h).mT, (3, 0)))).mT
        h = h + self.gru(self.norms[1](h))[0]
        y = self.norms[2](h)
        m = torch.ones(x.size(1), x.size(1), dtype=torch.bool, device=x.device).triu(1)
        return self.out(h + self.attn(y, y, y, attn_mask=m)[0])


def build_model(vocab_size):
    return Hybrid(vocab_size)
