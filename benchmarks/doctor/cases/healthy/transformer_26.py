import torch
import torch.nn as nn
import torch.nn.functional as F


class Recall(nn.Module):
    def __init__(self, vocab_size, d=32, n=2, keep=32):
        super().__init__()
        self.keep = keep
        self.emb = nn.Embedding(vocab_size, d)
        self.q = nn.ModuleList(nn.Linear(d, d) for _ in range(n))
        self.kv = nn.ModuleList(nn.Linear(d, 2 * d) for _ in range(n))
        self.ln = nn.ModuleList(nn.LayerNorm(d) for _ in range(n))
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x, memory=None):
        h = self.emb(x)
        t = x.size(1)
        kept = []
        for i, (q, kv, ln) in enumerate(zip(self.q, self.kv, self.ln)):
            seen = h if memory is None else torch.cat([memory[i], h], 1)
            kept.append(seen[:, -self.keep :].detach())
            k, v = kv(ln(seen)).chunk(2, -1)
            s = seen.size(1)
            gap = torch.arange(s - t, s, device=x.device)[:, None] - torch.arange(s, device=x.device)
            bias = torch.where(gap < 0, float("-inf"), -0.15 * gap)
            h = h + F.scaled_dot_product_attention(q(ln(h)), k, v, attn_mask=bias.expand(x.size(0), -1, -1))
        return self.out(h), kept


def build_model(vocab_size):
    return Recall(vocab_size)


class Memory:
    kept = None


def train_step(model, optimizer, inputs, targets):
    if Memory.kept is not None and Memory.kept[0].size(0) != inputs.size(0):
        Memory.kept = None
    logits, Memory.kept = model(inputs, Memory.kept)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
