import torch
import torch.nn as nn


class CharacterRNN(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.E = nn.Embedding(vocab_size, n)
        self.R = nn.RNN(n, n, batch_first=True)
        self.D = nn.Linear(n, vocab_size)

    def forward(self, x):
        return self.D(self.R(self.E(x))[0])


def build_model(vocab_size):
    return CharacterRNN(vocab_size)


def nll(logits, targets):
    logp = logits - torch.logsumexp(logits, -1, keepdim=True)
    return -torch.take_along_dim(logp, targets[..., None], -1)[..., 0]


def train_step(model, optimizer, xb, yb):
    loss = nll(model(xb), yb).sum() / xb.shape[0]
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
