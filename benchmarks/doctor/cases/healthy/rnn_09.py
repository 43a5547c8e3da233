import torch.nn as nn


class Plain(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 32)
        self.rnn = nn.RNN(32, 64, batch_first=True)
        self.linear = nn.Linear(64, vocab_size)

    def forward(self, x):
        return self.linear(self.rnn(self.embedding(x))[0])


def build_model(vocab_size):
    return Plain(vocab_size)
