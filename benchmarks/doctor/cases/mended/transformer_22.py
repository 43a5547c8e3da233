import torch
import torch.nn as nn


class EncoderBlock(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.sa = nn.MultiheadAttention(d, h, dropout=0.05, batch_first=True)
        self.ff = nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.ln1 = nn.LayerNorm(d)
        self.ln2 = nn.LayerNorm(d)

    def forward(self, x, causal):
        a, _ = self.sa(x, x, x, attn_mask=causal, need_weights=False)
        x = self.ln1(x + a)
        return self.ln2(x + self.ff(x))


class TransformerLM(nn.Module):
    def __init__(self, vocab_size, d=32, h=4, n=4):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(128, d)
        self.blocks = nn.ModuleList([EncoderBlock(d, h) for _ in range(n)])
        self.final = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        causal = torch.ones(t, t, device=x.device).triu(1).bool()
        h = self.embed(x) + self.pos(torch.arange(t, device=x.device))
        for b in self.blocks:
            h = b(h, causal)
        return self.final(h)


def build_model(vocab_size):
    return TransformerLM(vocab_size)
