import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTMLM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 32, num_layers=2, batch_first=True)
        self.proj = nn.Linear(32, vocab_size)

    def forward(self, input_ids):
        h, _ = self.lstm(self.embed(input_ids))
        return self.proj(h)


def build_model(vocab_size):
    return LSTMLM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    ix = torch.randint(len(tokens) - length, (batch_size,), generator=generator)
    x = torch.stack([tokens[i : i + length] for i in ix])
    y = torch.stack([tokens[i + 1 : i + 1 + length] for i in ix])
    return x, y


def compute_loss(logits, labels):
    shift_logits = logits[..., :-1, :].contiguous()
    shift_labels = labels[..., 1:].contiguous()
    return F.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))
