import torch
import torch.nn as nn


class MHA(nn.Module):
    def __init__(self, d_model, num_heads):
        super().__init__()
        self.num_heads = num_heads
        self.d_head = d_model // num_heads
        self.W_q = nn.Linear(d_model, d_model, bias=False)
        self.W_k = nn.Linear(d_model, d_model, bias=False)
        self.W_v = nn.Linear(d_model, d_model, bias=False)
        self.W_o = nn.Linear(d_model, d_model, bias=False)

    def forward(self, X):
        n, T, d = X.shape
        K = self.W_k(X).view(n, T, self.num_heads, self.d_head).transpose(1, 2).reshape(-1, T, self.d_head)
        V = self.W_v(X).view(n, T, self.num_heads, self.d_head).transpose(1, 2).reshape(-1, T, self.d_head)
        Q = self.W_q(X).view(n, T, self.num_heads, self.d_head).transpose(1, 2).reshape(-1, T, self.d_head)
        scores = torch.bmm(Q, K.transpose(1, 2)) / self.d_head ** 0.5
        scores = scores + torch.full((T, T), -1e4, device=X.device).triu(1)
        Y = torch.bmm(scores.softmax(-1), V)
        Y = Y.view(self.num_heads, n, T, self.d_head).permute(1, 2, 0, 3).reshape(n, T, d)
        return self.W_o(Y)


class DecoderLM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.pos = nn.Embedding(256, 32)
        self.attention = MHA(32, 4)
        self.norm = nn.LayerNorm(32)
        self.ffn = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 32))
        self.dense = nn.Linear(32, vocab_size)

    def forward(self, X):
        H = self.embedding(X) + self.pos.weight[: X.shape[1]]
        H = H + self.attention(self.norm(H))
        return self.dense(H + self.ffn(H))


def build_model(vocab_size):
    return DecoderLM(vocab_size)
