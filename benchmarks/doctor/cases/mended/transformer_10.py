import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, n_tokens, n_dim=32, n_layers=2):
        super().__init__()
        self.tok = nn.Embedding(n_tokens, n_dim)
        self.pos = nn.Embedding(512, n_dim)
        self.blocks = nn.ModuleList(
            [nn.TransformerEncoderLayer(n_dim, 4, 4 * n_dim, dropout=0, activation="gelu") for _ in range(n_layers)]
        )
        self.final = nn.Linear(n_dim, n_tokens)

    def forward(self, tokens):
        tokens = tokens.transpose(0, 1)
        length = tokens.size(0)
        x = self.tok(tokens) + self.pos(torch.arange(length, device=tokens.device))[:, None, :]
        mask = nn.Transformer.generate_square_subsequent_mask(length, device=tokens.device)
        for block in self.blocks:
            x = block(x, src_mask=mask)
        return self.final(x).transpose(0, 1)


def build_model(vocab_size):
    return Net(vocab_size)
