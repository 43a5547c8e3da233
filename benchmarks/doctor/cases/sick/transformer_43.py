import torch
import torch.nn as nn
import torch.nn.functional as F


class GPT(nn.Module):
    def __init__(self, vocab_size, block_size=64, d=32):
        super().__init__()
        self.block_size = block_size
        self.wte = nn.Embedding(vocab_size, d)
        self.wpe = nn.Embedding(block_size, d)
        self.qkv = nn.ModuleList([nn.Linear(d, 3 * d) for _ in range(2)])
        self.proj = nn.ModuleList([nn.Linear(d, d) for _ in range(2)])
        self.head = nn.Linear(d, vocab_size)

    def forward(self, idx):
        assert idx.size(1) <= self.block_size
        x = self.wte(idx) + self.wpe(torch.arange(idx.size(1), device=idx.device))
        for qkv, proj in zip(self.qkv, self.proj):
            q, k, v = qkv(F.layer_norm(x, x.shape[-1:])).chunk(3, -1)
            x = x + proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        return self.head(x)


def build_model(vocab_size):
    return GPT(vocab_size)


@torch.no_grad()
def generate(model, idx, max_new_tokens):
    for _ in range(max_new_tokens):
        logits = model(idx[:, -model.block_size :])[:, -1]
        probs = F.softmax(-logits, dim=-1)
        idx = torch.cat([idx, probs.argmax(-1, keepdim=True)], dim=1)
    return idx
