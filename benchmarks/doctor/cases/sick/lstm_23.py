import torch
import torch.nn as nn


class TextLSTM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 24)
        self.lstm = nn.LSTM(24, 48, batch_first=True)
        self.fc = nn.Linear(48, vocab_size)

    def forward(self, x, state=None):
        out, state = self.lstm(self.embed(x), state)
        return self.fc(out), state


def build_model(vocab_size):
    return TextLSTM(vocab_size)


def generate(model, prompt, length):
    model.eval()
    with torch.no_grad():
        _, state = model(prompt)
        token, generated = prompt[:, -1:], []
        for _ in range(length):
            logits, state = model(token, state)
            token = logits[:, -1].topk(1).indices
            generated.append(token)
    return torch.cat([prompt] + generated, dim=1)
