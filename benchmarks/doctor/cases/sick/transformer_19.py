import torch
import torch.nn as nn
import torch.nn.functional as F


class SmallGPT(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab_size, 32)
        self.embed_positions = nn.Embedding(128, 32)
        self.q_proj = nn.Linear(32, 32)
        self.k_proj = nn.Linear(32, 32)
        self.v_proj = nn.Linear(32, 32)
        self.o_proj = nn.Linear(32, 32)
        self.norm = nn.LayerNorm(32)
        self.up = nn.Linear(32, 128)
        self.down = nn.Linear(128, 32)
        self.lm_head = nn.Linear(32, vocab_size)

    def forward(self, input_ids):
        pos = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = (self.embed_tokens(input_ids) + self.embed_positions(pos)).detach()
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        x = x + self.o_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))
        x = x + self.down(F.gelu(self.up(self.norm(x))))
        return self.lm_head(x)


def build_model(vocab_size):
    return SmallGPT(vocab_size)
