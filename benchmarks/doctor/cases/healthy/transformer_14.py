import torch
import torch.nn as nn
import torch.nn.functional as F


class TimeFirst(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0), 2)
        self.dec = nn.Linear(d, vocab_size)

    def forward(self, src):
        t = src.size(0)
        mask = nn.Transformer.generate_square_subsequent_mask(t, device=src.device)
        return self.dec(self.enc(self.embed(src) + self.pos(torch.arange(t, device=src.device)).unsqueeze(1), mask))


def build_model(vocab_size):
    return TimeFirst(vocab_size)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
