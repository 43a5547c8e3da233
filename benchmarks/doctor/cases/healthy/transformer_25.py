import torch
import torch.nn as nn


class Enc(nn.Module):
    def __init__(self, vocab_size, d=40):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(300, d)
        layer = nn.TransformerEncoderLayer(d, 5, 80, dropout=0.05, activation="gelu", batch_first=True, norm_first=True)
        self.enc = nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(d), enable_nested_tensor=False)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        n = x.size(1)
        return self.out(
            self.enc(
                self.tok(x) + self.pos(torch.arange(n, device=x.device)),
                mask=nn.Transformer.generate_square_subsequent_mask(n, device=x.device),
                is_causal=True,
            )
        )


def build_model(vocab_size):
    return Enc(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1.5e-3)
