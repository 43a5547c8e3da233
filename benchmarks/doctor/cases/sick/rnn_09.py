import torch
import torch.nn as nn


class SigmoidRNN(nn.Module):
    def __init__(self, vocab_size, hidden=50):
        super().__init__()
        self.hidden = hidden
        self.U = nn.Embedding(vocab_size, hidden)
        self.W = nn.Parameter(torch.empty(hidden, hidden).normal_(0, 0.01))
        self.b = nn.Parameter(torch.zeros(hidden))
        self.V = nn.Linear(hidden, vocab_size)

    def forward(self, tokens):
        s = torch.zeros(tokens.size(0), self.hidden, device=tokens.device)
        out = []
        for t in range(tokens.size(1)):
            s = torch.sigmoid(self.U(tokens[:, t]) + s @ self.W + self.b)
            out.append(self.V(s))
        return torch.stack(out, dim=1)


def build_model(vocab_size):
    return SigmoidRNN(vocab_size)
