import torch
import torch.nn as nn
import torch.nn.functional as F


class GPT(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, d)
        self.wpe = nn.Embedding(128, d)
        self.attn = nn.ModuleList(nn.MultiheadAttention(d, 4, batch_first=True) for _ in range(2))
        self.ln = nn.ModuleList(nn.LayerNorm(d) for _ in range(2))
        self.head = nn.Linear(d, vocab_size, bias=False)

    def forward(self, idx):
        t = idx.size(1)
        m = torch.ones(t, t, dtype=torch.bool, device=idx.device).triu(1)
        x = self.wte(idx) + self.wpe.weight[:t]
        for a, ln in zip(self.attn, self.ln):
            y = ln(x)
            x = x + a(y, y, y, attn_mask=m, need_weights=False)[0]
        return self.head(x)


def build_model(vocab_size):
    return GPT(vocab_size)


def build_optimizer(model):
    decay = [p for p in model.parameters() if p.dim() > 1]
    rest = [p for p in model.parameters() if p.dim() <= 1]
    return torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], lr=2e-3)


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    parts = min(2, inputs.size(0))
    total = 0.0
    for x, y in zip(inputs.chunk(parts), targets.chunk(parts)):
        loss = F.cross_entropy(model(x).flatten(0, 1), y.flatten()) * x.size(0) / inputs.size(0)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total
