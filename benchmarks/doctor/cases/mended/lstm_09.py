import torch
import torch.nn as nn


class TwoLayerLSTM(nn.Module):
    def __init__(self, vocab_size, embedding_dim=32, hidden_dim=32):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm1 = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.lstm2 = nn.LSTM(hidden_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, vocab_size)

    def forward(self, x):
        x = self.embedding(x)
        out1, _ = self.lstm1(x)
        out2, _ = self.lstm2(out1)
        return self.fc(out2)


def build_model(vocab_size):
    return TwoLayerLSTM(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.002)
