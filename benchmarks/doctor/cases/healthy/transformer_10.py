import torch
import torch.nn as nn
import torch.nn.functional as F


class TiedSmall(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, d)
        self.wpe = nn.Embedding(256, d)
        self.enc = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(d, 2, 64, 0.0, "gelu", batch_first=True, norm_first=True), 2, enable_nested_tensor=False
        )
        self.norm = nn.LayerNorm(d)
        for e in (self.wte, self.wpe):
            nn.init.normal_(e.weight, std=0.02)

    def forward(self, idx):
        t = idx.size(1)
        m = nn.Transformer.generate_square_subsequent_mask(t, device=idx.device)
        h = self.enc(self.wte(idx) + self.wpe.weight[:t], mask=m)
        return F.linear(self.norm(h), self.wte.weight)


def build_model(vocab_size):
    return TiedSmall(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3)
