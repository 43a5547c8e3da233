import torch.nn as nn


class OrthoRNN(nn.Module):
    def __init__(self, vocab_size, n=48):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, n)
        self.rnn = nn.RNN(n, n, batch_first=True)
        nn.init.orthogonal_(self.rnn.weight_hh_l0)
        nn.init.xavier_uniform_(self.rnn.weight_ih_l0)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x):
        y, h = self.rnn(self.embed(x))
        return self.out(y), h


def build_model(vocab_size):
    return OrthoRNN(vocab_size)
