import torch
import torch.nn as nn
import torch.nn.functional as F


class VanillaRNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.Wxh = nn.Parameter(torch.randn(input_size, hidden_size) * 0.1)
        self.Whh = nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.1)
        self.bh = nn.Parameter(torch.zeros(hidden_size))
        self.Why = nn.Parameter(torch.randn(hidden_size, input_size) * 0.1)
        self.by = nn.Parameter(torch.zeros(input_size))

    def forward(self, x):
        logits = []
        for t in range(x.size(1)):
            h = torch.zeros(x.size(0), self.hidden_size, device=x.device)
            h = torch.tanh(self.Wxh[x[:, t]] + h @ self.Whh + self.bh)
            logits.append(h @ self.Why + self.by)
        return torch.stack(logits, dim=1)


def build_model(vocab_size):
    return VanillaRNN(vocab_size, 48)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets)
