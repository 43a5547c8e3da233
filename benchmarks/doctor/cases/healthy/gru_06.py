from torch import nn


class ZeroHead(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.gru = nn.GRU(32, 32, 2, batch_first=True)
        self.head = nn.Linear(32, vocab_size)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x):
        return self.head(self.gru(self.embed(x))[0])


def build_model(vocab_size):
    return ZeroHead(vocab_size)
