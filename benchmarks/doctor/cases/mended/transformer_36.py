import torch
import torch.nn as nn
import torch.nn.functional as F


class Mini(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(128, d)
        self.block = nn.TransformerEncoderLayer(d, 2, 4 * d, dropout=0.0, activation="gelu", batch_first=True)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        h = self.tok(x) + self.pos(torch.arange(t, device=x.device))
        return self.out(self.block(h, src_mask=torch.ones(t, t, device=x.device).triu(1) > 0))


def build_model(vocab_size):
    return Mini(vocab_size)


def compute_loss(logits, targets):
    nll = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    lengths = torch.full((targets.size(0),), targets.size(1), device=targets.device)
    mask = torch.arange(targets.size(1), device=targets.device)[None, :] < lengths[:, None]
    return (nll * mask).sum() / mask.sum()
