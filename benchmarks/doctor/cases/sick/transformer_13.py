import torch.nn as nn
import torch.nn.functional as F


class OneLayer(nn.Module):
    def __init__(self, vocab_size, d_model=32, n_heads=4):
        super().__init__()
        self.n_heads = n_heads
        self.W_E = nn.Embedding(vocab_size, d_model)
        self.W_QKV = nn.Linear(d_model, 3 * d_model)
        self.W_O = nn.Linear(d_model, d_model)
        self.mlp = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, 4 * d_model), nn.GELU(), nn.Linear(4 * d_model, d_model))
        self.W_U = nn.Linear(d_model, vocab_size)

    def forward(self, tokens):
        x = self.W_E(tokens)
        b, t, d = x.shape
        q, k, v = self.W_QKV(x).view(b, t, 3, self.n_heads, d // self.n_heads).permute(2, 0, 3, 1, 4)
        z = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.W_O(z.permute(0, 2, 1, 3).reshape(b, t, d))
        x = x + self.mlp(x)
        return self.W_U(x)


def build_model(vocab_size):
    return OneLayer(vocab_size)
