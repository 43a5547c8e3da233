import math

import torch
import torch.nn as nn


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.d_k = d_model // num_heads
        self.W_q = nn.Linear(d_model, d_model)
        self.W_k = nn.Linear(d_model, d_model)
        self.W_v = nn.Linear(d_model, d_model)
        self.W_o = nn.Linear(d_model, d_model)

    def split_heads(self, x):
        return x.view(x.size(0), x.size(1), self.num_heads, self.d_k).transpose(1, 2)

    def forward(self, x, mask):
        Q, K, V = self.split_heads(self.W_q(x)), self.split_heads(self.W_k(x)), self.split_heads(self.W_v(x))
        attn_scores = torch.matmul(Q, K.transpose(-2, -1)) / math.sqrt(self.d_k)
        attn_scores = attn_scores.masked_fill(mask == 0, -1e9)
        output = torch.matmul(torch.softmax(attn_scores, dim=-1), V)
        return self.W_o(output.transpose(1, 2).contiguous().view(x.size(0), x.size(1), -1))


class DecoderOnly(nn.Module):
    def __init__(self, vocab_size, d_model=64, num_heads=2, num_layers=2, max_seq_length=128):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.pos = nn.Embedding(max_seq_length, d_model)
        self.attn = nn.ModuleList([MultiHeadAttention(d_model, num_heads) for _ in range(num_layers)])
        self.ff = nn.ModuleList([nn.Sequential(nn.Linear(d_model, 128), nn.ReLU(), nn.Linear(128, d_model)) for _ in range(num_layers)])
        self.n1 = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(num_layers)])
        self.n2 = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(num_layers)])
        self.fc = nn.Linear(d_model, vocab_size)

    def forward(self, x):
        T = x.size(1)
        mask = torch.tril(torch.ones(T, T, device=x.device))
        h = self.embedding(x) + self.pos(torch.arange(T, device=x.device))
        for attn, ff, n1, n2 in zip(self.attn, self.ff, self.n1, self.n2):
            h = h + attn(n1(h), mask)
            h = h + ff(n2(h))
        return self.fc(h)


def build_model(vocab_size):
    return DecoderOnly(vocab_size)
