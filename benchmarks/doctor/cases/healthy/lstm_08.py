import torch.nn as nn


class RNNModel(nn.Module):
    """(time, batch) -> (time, batch, vocabulary)"""

    def __init__(self, ntoken, ninp=32, nhid=32):
        super().__init__()
        self.encoder = nn.Embedding(ntoken, ninp)
        self.rnn = nn.LSTM(ninp, nhid, 2)
        self.decoder = nn.Linear(nhid, ntoken)

    def forward(self, input, hidden=None):
        output, hidden = self.rnn(self.encoder(input), hidden)
        return self.decoder(output), hidden


def build_model(vocab_size):
    return RNNModel(vocab_size)
