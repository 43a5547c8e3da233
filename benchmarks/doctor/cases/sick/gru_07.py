from torch import nn


class CharGRU(nn.Module):
    def __init__(self, vocab_size, units=48):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, units)
        self.gru = nn.GRU(units, units, batch_first=True)
        self.head = nn.Linear(units, vocab_size)
        self.apply(self._init_weights)

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0.0, std=4.0)
            nn.init.zeros_(module.bias)

    def forward(self, x):
        y, _ = self.gru(self.embedding(x))
        return self.head(y)


def build_model(vocab_size):
    return CharGRU(vocab_size)
