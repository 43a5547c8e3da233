import torch
import torch.nn as nn


class TiedLSTM(nn.Module):
    def __init__(self, ntoken, n=48, dropout=0.2):
        super().__init__()
        self.drop = nn.Dropout(dropout)
        self.encoder = nn.Embedding(ntoken, n)
        self.rnn = nn.LSTM(n, n, 1)
        self.decoder = nn.Linear(n, ntoken)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.zeros_(self.decoder.bias)

    def forward(self, input, hidden=None):
        emb = self.drop(self.encoder(input.t()))
        output, hidden = self.rnn(emb, hidden)
        return self.decoder(self.drop(output)).transpose(0, 1), hidden


def build_model(vocab_size):
    return TiedLSTM(vocab_size)


def repackage(h):
    return tuple(v.detach() for v in h)


class Corpus:
    hidden = None


def train_step(model, optimizer, data, targets):
    model.train()
    if Corpus.hidden is not None:
        same = Corpus.hidden[0].size(1) == data.size(0)
        Corpus.hidden = repackage(Corpus.hidden) if same else None
    model.zero_grad()
    output, Corpus.hidden = model(data, Corpus.hidden)
    loss = nn.functional.cross_entropy(output.flatten(0, 1), targets.flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.25)
    for p in model.parameters():
        p.data.add_(p.grad, alpha=-5.0)
    return loss.item()
