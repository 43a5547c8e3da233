import torch
import torch.nn as nn
import torch.nn.functional as F


class WaveBlock(nn.Module):
    def __init__(self, ch, dilation):
        super().__init__()
        self.dilation = dilation
        self.filter = nn.Conv1d(ch, 2 * ch, 2, dilation=dilation)
        self.mix = nn.Conv1d(ch, 2 * ch, 1)

    def forward(self, x):
        a, b = self.filter(F.pad(x, (self.dilation, 0))).chunk(2, 1)
        res, skip = self.mix(torch.tanh(a) * torch.sigmoid(b)).chunk(2, 1)
        return x + res, skip


class WaveNet(nn.Module):
    def __init__(self, vocab_size, ch=24):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, ch)
        self.blocks = nn.ModuleList([WaveBlock(ch, 2**i) for i in range(4)])
        self.out = nn.Sequential(nn.ReLU(), nn.Conv1d(ch, vocab_size, 1))

    def forward(self, x):
        h = self.embed(x).transpose(1, 2)
        skips = 0
        for block in self.blocks:
            h, s = block(h)
            skips = skips + s
        return self.out(skips).transpose(1, 2)


def build_model(vocab_size):
    return WaveNet(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3e-3)
