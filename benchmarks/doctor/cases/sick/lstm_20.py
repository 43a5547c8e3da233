import torch
import torch.nn as nn


class SentenceLSTM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 48, batch_first=True)
        self.decoder = nn.Linear(48, vocab_size)

    def forward(self, x):
        out, _ = self.lstm(self.encoder(x))
        return self.decoder(out)


criterion = nn.CrossEntropyLoss(ignore_index=-1)


def build_model(vocab_size):
    return SentenceLSTM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    lengths = torch.randint(length // 2, length + 1, (batch_size,), generator=generator)
    starts = torch.randint(0, len(tokens) - length - 1, (batch_size,), generator=generator)
    rows = tokens[starts[:, None] + torch.arange(length + 1)]
    padded = torch.arange(length) >= lengths[:, None]
    inputs = rows[:, :-1].masked_fill(padded, 0)
    targets = rows[:, 1:].masked_fill(padded, 0)
    return inputs, targets


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    loss = criterion(model(inputs).transpose(1, 2), targets)
    loss.backward()
    optimizer.step()
    return loss.item()
