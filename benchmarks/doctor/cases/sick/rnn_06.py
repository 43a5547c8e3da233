from torch import nn


def build_model(vocab_size):
    return PaddedRNN(vocab_size, pad_idx=vocab_size)


class PaddedRNN(nn.Module):
    def __init__(self, vocab_size, pad_idx, size=40):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size + 1, size, padding_idx=pad_idx)
        self.rnn = nn.RNN(size, size, nonlinearity="tanh", batch_first=True)
        self.classifier = nn.Linear(size, vocab_size + 1)

    def forward(self, ids):
        out, _ = self.rnn(self.embedding(ids))
        return self.classifier(out)
