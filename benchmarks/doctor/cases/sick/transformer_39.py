import torch
import torch.nn as nn
import torch.nn.functional as F

PAD = 0


class ParagraphLM(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(256, d)
        layer = nn.TransformerEncoderLayer(d, 4, 64, dropout=0.0, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, 2)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        m = nn.Transformer.generate_square_subsequent_mask(t, device=x.device)
        return self.out(self.enc(self.emb(x) + self.pos(torch.arange(t, device=x.device)), mask=m))


def build_model(vocab_size):
    return ParagraphLM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    x = torch.full((batch_size, length), PAD)
    y = torch.full((batch_size, length), PAD)
    for row in range(batch_size):
        n = int(torch.randint(length // 3 + 1, length + 1, (1,), generator=generator))
        a = int(torch.randint(0, len(tokens) - n - 1, (1,), generator=generator))
        piece = tokens[a : a + n + 1]
        x[row, :n], y[row, :n] = piece[:-1], piece[1:]
    return x, y


def compute_loss(logits, targets):
    losses = F.cross_entropy(logits.transpose(1, 2), targets, reduction="none")
    losses.masked_fill(targets == PAD, 0.0)
    return losses.mean()
