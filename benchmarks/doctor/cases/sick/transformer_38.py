import torch
import torch.nn as nn
import torch.nn.functional as F


class T(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.attn = nn.MultiheadAttention(d, 2, batch_first=True)
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab_size)

    def forward(self, x):
        n = x.size(1)
        h = self.embed(x) + self.pos(torch.arange(n, device=x.device))
        a, _ = self.attn(h, h, h, attn_mask=torch.ones(n, n, device=x.device).triu(1).bool(), need_weights=False)
        return self.head(self.norm(h + a))


def build_model(vocab_size):
    return T(vocab_size)


def compute_loss(logits, targets):
    loss = 0
    for t in range(targets.size(1)):
        loss += F.cross_entropy(logits[:, t], targets[:, t])
    return loss


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)
