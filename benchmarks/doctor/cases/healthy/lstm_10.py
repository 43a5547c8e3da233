import torch
import torch.nn as nn


class Speaker(nn.Module):
    def __init__(self, vocab_size, n=40):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, n)
        self.lstm = nn.LSTM(n, n, batch_first=True)
        self.out = nn.Linear(n, vocab_size)

    def forward(self, x, state=None):
        y, state = self.lstm(self.emb(x), state)
        return self.out(y), state


def build_model(vocab_size):
    return Speaker(vocab_size)


def generate(model, prompt, length):
    model.eval()
    out = []
    with torch.no_grad():
        logits, state = model(prompt)
        for _ in range(length):
            token = logits[:, -1].argmax(-1, keepdim=True)
            out.append(token)
            logits, state = model(token, state)
    return torch.cat(out, dim=1)
