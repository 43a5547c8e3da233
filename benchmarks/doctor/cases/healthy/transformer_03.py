import torch
import torch.nn as nn
import torch.nn.functional as F


class ConvAttention(nn.Module):
    def __init__(self, vocab_size, d=32, k=3):
        super().__init__()
        self.k = k
        self.embed = nn.Embedding(vocab_size, d)
        self.conv = nn.Conv1d(d, d, k)
        self.attn = nn.MultiheadAttention(d, 4, batch_first=True)
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab_size)

    def forward(self, x):
        e = self.embed(x).transpose(1, 2)
        h = self.conv(F.pad(e, (self.k - 1, 0))).transpose(1, 2)
        t = x.size(1)
        mask = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        y, _ = self.attn(h, h, h, attn_mask=mask, need_weights=False)
        return self.head(self.norm(h + y))


def build_model(vocab_size):
    return ConvAttention(vocab_size)


def build_optimizer(model):
    return torch.optim.RAdam(model.parameters(), lr=3e-3)
