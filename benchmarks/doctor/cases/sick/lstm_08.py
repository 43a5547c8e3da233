import torch.nn as nn

ASCII = 128


class CharRNN(nn.Module):
    def __init__(self, n_tokens, n_hidden=32):
        super().__init__()
        self.embed = nn.Embedding(ASCII, n_hidden)
        self.lstm = nn.LSTM(n_hidden, n_hidden, batch_first=True)
        self.fc = nn.Linear(n_hidden, ASCII)

    def forward(self, x):
        r_output, hidden = self.lstm(self.embed(x))
        return self.fc(r_output)


def build_model(vocab_size):
    return CharRNN(vocab_size)
