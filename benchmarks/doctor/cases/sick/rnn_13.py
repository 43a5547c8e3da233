import torch.nn as nn
import torch.nn.functional as F


class TimeMajorRNN(nn.Module):
    """input: (T, B) token ids, output: (T, B, vocab)"""

    def __init__(self, vocab_size):
        super().__init__()
        self.enc = nn.Embedding(vocab_size, 32)
        self.rnn = nn.RNN(32, 48)
        self.dec = nn.Linear(48, vocab_size)

    def forward(self, x, hidden=None):
        out, hidden = self.rnn(self.enc(x), hidden)
        return self.dec(out), hidden


def build_model(vocab_size):
    return TimeMajorRNN(vocab_size)


def compute_loss(logits, targets):
    logits = logits.transpose(0, 1)
    return F.cross_entropy(logits.reshape(-1, logits.size(2)), targets.reshape(-1))
