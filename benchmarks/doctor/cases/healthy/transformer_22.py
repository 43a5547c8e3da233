import torch
import torch.nn as nn


class Decoder(nn.Module):
    def __init__(self, n_symbols, d_model=32, n_layers=2):
        super().__init__()
        self.embedding = nn.Embedding(n_symbols, d_model)
        self.positions = nn.Embedding(200, d_model)
        layer = nn.TransformerDecoderLayer(d_model, 4, 64, dropout=0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, n_layers)
        self.memory = nn.Parameter(torch.randn(1, 4, d_model) * 0.1)
        self.readout = nn.Linear(d_model, n_symbols)

    def forward(self, tokens):
        b, t = tokens.shape
        mask = nn.Transformer.generate_square_subsequent_mask(t, device=tokens.device)
        h = self.embedding(tokens) + self.positions(torch.arange(t, device=tokens.device))
        return self.readout(self.decoder(h, self.memory.expand(b, -1, -1), tgt_mask=mask))


def make_decoder(vocab_size):
    return Decoder(vocab_size)
