import torch.nn as nn


class DictLSTM(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 32, batch_first=True)
        self.out = nn.Linear(32, vocab_size)

    def forward(self, x):
        y, state = self.lstm(self.embed(x))
        return {"logits": self.out(y), "state": state}


def build_model(vocab_size):
    return DictLSTM(vocab_size)
