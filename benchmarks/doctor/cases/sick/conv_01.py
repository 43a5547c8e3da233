import torch.nn as nn
import torch.nn.functional as F


class ConvLM(nn.Module):
    def __init__(self, vocab_size, channels=32, kernel=5, depth=2):
        super().__init__()
        self.lookup = nn.Embedding(vocab_size, channels)
        self.convs = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, padding=kernel // 2) for _ in range(depth)
        )
        self.readout = nn.Conv1d(channels, vocab_size, 1)

    def forward(self, tokens):
        h = self.lookup(tokens).transpose(1, 2)
        for conv in self.convs:
            h = h + F.relu(conv(h))
        return self.readout(h).transpose(1, 2)


def build_model(vocab_size):
    return ConvLM(vocab_size)
