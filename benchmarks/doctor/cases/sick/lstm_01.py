import torch.nn as nn


class CharLSTM(nn.Module):
    def __init__(self, vocab_size, emb=24, hidden=48):
        super(CharLSTM, self).__init__()
        self.embedding = nn.Embedding(vocab_size, emb)
        self.lstm = nn.LSTM(emb, hidden, num_layers=1, batch_first=True)
        self.fc = nn.Linear(hidden, vocab_size)
        self.softmax = nn.Softmax(dim=-1)

    def forward(self, x):
        x = self.embedding(x)
        x, _ = self.lstm(x)
        return self.softmax(self.fc(x))


def build_model(vocab_size):
    return CharLSTM(vocab_size)
