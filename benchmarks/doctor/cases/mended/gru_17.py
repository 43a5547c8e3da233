import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence


class PaddedGRU(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.gru = nn.GRU(32, 48, batch_first=True)
        self.out = nn.Linear(48, vocab_size)

    def forward(self, x):
        return self.out(self.gru(self.embed(x))[0])


def build_model(vocab_size):
    return PaddedGRU(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    xs, ys = [], []
    for _ in range(batch_size):
        n = int(torch.randint(max(2, length // 4), length + 1, (1,), generator=generator))
        s = int(torch.randint(0, len(tokens) - n - 1, (1,), generator=generator))
        xs.append(tokens[s : s + n])
        ys.append(tokens[s + 1 : s + n + 1])
    return pad_sequence(xs, batch_first=True), pad_sequence(ys, batch_first=True, padding_value=-100)


def compute_loss(logits, targets):
    return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
