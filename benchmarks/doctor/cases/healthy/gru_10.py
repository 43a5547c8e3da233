import torch
import torch.nn as nn
from torch.distributions import Categorical


class Poet(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 24)
        self.gru = nn.GRU(24, 48, batch_first=True)
        self.head = nn.Linear(48, vocab_size)

    def forward(self, x, h=None):
        y, h = self.gru(self.embed(x), h)
        return self.head(y), h


def build_model(vocab_size):
    return Poet(vocab_size)


def generate(model, prompt, length, temperature=0.9):
    with torch.no_grad():
        logits, h = model(prompt)
        tokens = [prompt]
        for _ in range(length):
            nxt = Categorical(logits=logits[:, -1] / temperature).sample().unsqueeze(1)
            tokens.append(nxt)
            logits, h = model(nxt, h)
    return torch.cat(tokens, 1)
