from torch import nn, optim


class Lang(nn.Module):
    def __init__(self, n_vocab, n_hidden=40):
        super().__init__()
        self.lookup = nn.Embedding(n_vocab, n_hidden)
        self.rnn = nn.LSTM(input_size=n_hidden, hidden_size=n_hidden, batch_first=True)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(n_hidden, n_vocab)

    def forward(self, x):
        y, s = self.rnn(self.lookup(x))
        return self.out(self.dropout(y))


def build_model(vocab_size):
    return Lang(vocab_size)


def build_optimizer(model):
    return optim.Adam(model.parameters(), lr=0.005)
