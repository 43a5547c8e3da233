import torch
import torch.nn as nn


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.att = nn.MultiheadAttention(d, 4, batch_first=True)
        self.n1 = nn.LayerNorm(d)
        self.n2 = nn.LayerNorm(d)
        self.ff = nn.Sequential(nn.Linear(d, 4 * d), nn.ReLU(), nn.Linear(4 * d, d))

    def forward(self, x, mask):
        y = self.n1(x)
        x = x + self.att(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.ff(self.n2(x))


class MiniTransformer(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.tok_emb = nn.Embedding(vocab_size, d)
        self.pos_emb = nn.Embedding(100, d)
        self.b1 = Block(d)
        self.b2 = Block(d)
        self.fc = nn.Linear(d, vocab_size)

    def forward(self, tokens):
        T = tokens.size(1)
        see = torch.ones(T, T, device=tokens.device).tril().bool()
        mask = torch.zeros(T, T, device=tokens.device).masked_fill(~see, float("-inf"))
        x = self.tok_emb(tokens) + self.pos_emb(torch.arange(T, device=tokens.device))
        x = self.b2(self.b1(x, mask), mask)
        return self.fc(x)


def build_model(vocab_size):
    return MiniTransformer(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.1)
