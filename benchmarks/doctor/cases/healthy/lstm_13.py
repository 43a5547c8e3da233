import torch
import torch.nn as nn


class CodeLSTM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.lookup = nn.Embedding(vocab_size, 48)
        self.rnn = nn.LSTM(48, 64, num_layers=2, dropout=0.2, batch_first=True)
        self.norm = nn.LayerNorm(64)
        self.predict = nn.Linear(64, vocab_size)

    def forward(self, tokens, carry=None):
        y, carry = self.rnn(self.lookup(tokens), carry)
        return self.predict(self.norm(y)), carry


def build_model(vocab_size):
    return CodeLSTM(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
