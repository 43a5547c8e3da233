import torch
import torch.nn as nn


class RNNModelScratch(nn.Module):
    def __init__(self, vocab_size, num_hiddens=40):
        super().__init__()
        self.vocab_size = vocab_size
        self.rnn = nn.GRU(vocab_size, num_hiddens)
        self.linear = nn.Linear(num_hiddens, vocab_size)

    def forward(self, inputs, state=None):
        X = nn.functional.one_hot(inputs.T.long(), self.vocab_size).to(torch.float32)
        Y, state = self.rnn(X, state)
        return self.linear(Y).transpose(0, 1), state


def build_model(vocab_size):
    return RNNModelScratch(vocab_size)
