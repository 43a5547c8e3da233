import torch
import torch.nn as nn
import torch.nn.functional as F

WARMUP = 20


class Small(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(128, d)
        self.enc = nn.ModuleList(nn.TransformerEncoderLayer(d, 4, 64, 0.1, batch_first=True) for _ in range(2))
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        h = self.emb(x) + self.pos(torch.arange(t, device=x.device))
        for layer in self.enc:
            h = layer(h, torch.full((t, t), float("-inf"), device=x.device).triu(1))
        return self.out(h)


def build_model(vocab_size):
    return Small(vocab_size)


def build_optimizer(model):
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    optimizer.steps_done = 0
    return optimizer


def train_step(model, optimizer, inputs, targets):
    model.train()
    optimizer.steps_done += 1
    for group in optimizer.param_groups:
        group.setdefault("base", group["lr"])
        group["lr"] = group["base"] * min(1.0, optimizer.steps_done / WARMUP)
    loss = F.cross_entropy(model(inputs).transpose(1, 2), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
