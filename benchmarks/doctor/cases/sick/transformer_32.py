import torch
import torch.nn as nn
import torch.nn.functional as F


class NanoModel(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, 32)
        self.wpe = nn.Embedding(128, 32)
        self.attn = nn.MultiheadAttention(32, 4, batch_first=True)
        self.ln = nn.LayerNorm(32)
        self.ff = nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.head = nn.Linear(32, vocab_size)

    def forward(self, idx):
        T = idx.size(1)
        x = self.wte(idx) + self.wpe(torch.arange(T, device=idx.device))
        y, _ = self.attn(x, x, x, attn_mask=torch.ones(T, T, device=idx.device).triu(1).bool())
        x = self.ln(x + y)
        return self.head(x + self.ff(x))


def build_model(vocab_size):
    return NanoModel(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def train_step(model, optimizer, inputs, targets):
    logits = model(inputs)
    loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()
