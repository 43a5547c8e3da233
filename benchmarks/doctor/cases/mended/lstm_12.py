import torch
import torch.nn as nn


class ResidualLSTM(nn.Module):
    def __init__(self, vocab_size, n_in=24, n_h=32, alpha=0.2):
        super().__init__()
        self.n_h, self.alpha = n_h, alpha
        self.emb = nn.Embedding(vocab_size, n_in)
        self.gates = nn.Linear(n_in + n_h, 4 * n_h)
        self.fc = nn.Linear(n_h, vocab_size)

    def forward(self, x):
        B, T = x.shape
        h = torch.zeros(B, self.n_h, device=x.device)
        c = torch.zeros(B, self.n_h, device=x.device)
        hs = []
        e = self.emb(x)
        for t in range(T):
            i, f, o, g = self.gates(torch.cat([e[:, t], h], -1)).chunk(4, -1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = self.alpha * h + torch.sigmoid(o) * torch.tanh(c)
            hs.append(h)
        return self.fc(torch.stack(hs, 1))


def build_model(vocab_size):
    return ResidualLSTM(vocab_size)
