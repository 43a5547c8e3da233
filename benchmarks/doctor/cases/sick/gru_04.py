import torch.nn as nn


class Generator(nn.Module):
    def __init__(self, vocab_size, embed_size=30, hidden_size=50):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_size)
        self.gru = nn.GRU(embed_size, hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, vocab_size)

    def forward(self, x):
        b, t = x.size()
        x = self.embed(x).view(b * t, 1, -1)
        out, _ = self.gru(x)
        return self.linear(out).view(b, t, -1)


def build_model(vocab_size):
    return Generator(vocab_size)
