import torch
import torch.nn as nn


class EchoState(nn.Module):
    def __init__(self, vocab_size, size=128):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, size)
        self.rnn = nn.RNN(size, size, batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0, gain=0.9)
        for p in [*self.rnn.parameters(), *self.embed.parameters()]:
            p.requires_grad = False
        self.readout = nn.Linear(size, vocab_size)

    def forward(self, x):
        h, _ = self.rnn(self.embed(x))
        return self.readout(h)


def build_model(vocab_size):
    return EchoState(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.005)
