import torch.nn as nn
import torch.optim as optim


class LSTMTextModel(nn.Module):
    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.encoder = nn.Embedding(vocab_size, dim)
        self.lstm = nn.LSTM(dim, dim, num_layers=2, batch_first=True, dropout=0.1)
        self.decoder = nn.Linear(dim, vocab_size)

    def forward(self, x, hidden=None):
        out, hidden = self.lstm(self.encoder(x), hidden)
        return self.decoder(out), hidden


def build_model(vocab_size):
    return LSTMTextModel(vocab_size)


def build_optimizer(model):
    return optim.Adam(model.decoder.parameters(), lr=1e-2)
