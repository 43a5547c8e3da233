import torch
import torch.nn as nn
import torch.nn.functional as F


class Decoder(nn.Module):
    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, dim)
        self.pos = nn.Embedding(512, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, num_layers=2)
        self.fc = nn.Linear(dim, vocab_size)

    def forward(self, src):
        L = src.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(L, device=src.device)
        return self.fc(self.layers(self.emb(src) + self.pos(torch.arange(L, device=src.device)), mask=mask))


def build_model(vocab_size):
    return Decoder(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    start = int(torch.randint(0, tokens.numel() - batch_size * length - 1, (1,), generator=generator))
    chunk = tokens[start : start + batch_size * length].view(batch_size, length)
    return chunk, tokens[start + 1 : start + 1 + batch_size * length].view(batch_size, length)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=2e-3)
