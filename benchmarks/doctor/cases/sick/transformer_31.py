import torch
import torch.nn as nn
import torch.nn.functional as F

LEARNING_RATE = 1e-9
WEIGHT_DECAY = 0.01


class Head(nn.Module):
    def __init__(self, width, size):
        super().__init__()
        self.to_q = nn.Linear(width, size, bias=False)
        self.to_k = nn.Linear(width, size, bias=False)
        self.to_v = nn.Linear(width, size, bias=False)

    def forward(self, x):
        return F.scaled_dot_product_attention(self.to_q(x), self.to_k(x), self.to_v(x), is_causal=True)


class Lm(nn.Module):
    def __init__(self, vocab_size, width=32, heads=4):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, width)
        self.pos = nn.Embedding(256, width)
        self.heads1 = nn.ModuleList(Head(width, width // heads) for _ in range(heads))
        self.heads2 = nn.ModuleList(Head(width, width // heads) for _ in range(heads))
        self.ff = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.lm = nn.Linear(width, vocab_size)

    def forward(self, idx):
        x = self.tok(idx) + self.pos(torch.arange(idx.size(-1), device=idx.device))
        x = x + torch.cat([h(x) for h in self.heads1], -1)
        x = x + torch.cat([h(x) for h in self.heads2], -1)
        return self.lm(x + self.ff(x))


def build_model(vocab_size):
    return Lm(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def train_step(model, optimizer, inputs, targets):
    logits = model(inputs)
    loss = F.cross_entropy(logits.permute(0, 2, 1), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
