import torch
import torch.nn as nn


class NoPE(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, d)
        self.layers = nn.ModuleList(
            [nn.TransformerEncoderLayer(d, 4, 4 * d, dropout=0.0, batch_first=True, norm_first=True) for _ in range(4)]
        )
        self.ln = nn.LayerNorm(d)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        m = nn.Transformer.generate_square_subsequent_mask(x.size(1), device=x.device)
        h = self.tok(x)
        for layer in self.layers:
            h = layer(h, src_mask=m)
        return self.out(self.ln(h))


def build_model(vocab_size):
    return NoPE(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3)
