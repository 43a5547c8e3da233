import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence


class Padded(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.gru = nn.GRU(32, 32, batch_first=True)
        self.out = nn.Linear(32, vocab_size)

    def forward(self, x):
        return self.out(self.gru(self.embed(x))[0])


def build_model(vocab_size):
    return Padded(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    pairs = []
    for _ in range(batch_size):
        n = int(torch.randint(max(2, length // 3), length + 1, (1,), generator=generator))
        s = int(torch.randint(0, len(tokens) - n - 1, (1,), generator=generator))
        pairs.append((tokens[s : s + n], tokens[s + 1 : s + n + 1]))
    x = pad_sequence([a for a, _ in pairs], batch_first=True)
    y = pad_sequence([b for _, b in pairs], batch_first=True, padding_value=-100)
    return x, y


def compute_loss(logits, targets):
    return nn.functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=-100)
