import torch
import torch.nn as nn
import torch.nn.functional as F


class TiedTransformer(nn.Module):
    def __init__(self, vocab_size, width=128):
        super().__init__()
        self.tokens = nn.Embedding(vocab_size, width)
        self.positions = nn.Embedding(256, width)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, 4, 2 * width, 0.0, F.gelu, batch_first=True, norm_first=True)
            for _ in range(2)
        )
        self.norm = nn.LayerNorm(width)
        nn.init.normal_(self.tokens.weight, std=0.02)

    def forward(self, ids):
        t = ids.size(1)
        x = self.tokens(ids) + self.positions(torch.arange(t, device=ids.device))
        mask = torch.triu(torch.ones(t, t, device=ids.device, dtype=torch.bool), 1)
        for layer in self.layers:
            x = layer(x, mask)
        return F.linear(self.norm(x), self.tokens.weight)


def build_model(vocab_size):
    return TiedTransformer(vocab_size)
