import torch
import torch.nn as nn


class CharRNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, 32)
        self.rnn = nn.RNN(32, 64, batch_first=True)
        self.out = nn.Linear(64, vocab_size)

    def forward(self, x, h=None):
        y, h = self.rnn(self.emb(x), h)
        return self.out(y), h


def build_model(vocab_size):
    return CharRNN(vocab_size)


@torch.no_grad()
def generate(model, prompt, length):
    model.eval()
    tokens = prompt
    for _ in range(length):
        logits, h = model(tokens[:, -1:])
        tokens = torch.cat([tokens, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return tokens
