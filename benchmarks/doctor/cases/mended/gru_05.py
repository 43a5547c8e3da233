import torch.nn as nn
import torch.nn.functional as F


class WordGRU(nn.Module):
    def __init__(self, vocab, nhid=40, p=0.2):
        super().__init__()
        self.enc = nn.Embedding(vocab, nhid)
        self.rnn1 = nn.GRU(nhid, nhid, batch_first=True)
        self.rnn2 = nn.GRU(nhid, nhid, batch_first=True)
        self.dec = nn.Linear(nhid, vocab)
        self.p = p

    def forward(self, x):
        h = F.dropout(self.enc(x), self.p, self.training)
        h, _ = self.rnn1(h)
        h = F.dropout(h, self.p, self.training)
        h, _ = self.rnn2(h)
        return self.dec(h)


def build_model(vocab_size):
    return WordGRU(vocab_size)
