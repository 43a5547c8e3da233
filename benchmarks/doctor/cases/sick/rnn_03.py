import torch
import torch.nn as nn


class RNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.vocab_size = vocab_size
        self.rnn = nn.RNN(vocab_size, 32, num_layers=2, batch_first=True)
        self.fc1 = nn.Linear(32, 32)
        self.fc2 = nn.Linear(32, vocab_size)

    def forward(self, x):
        onehot = torch.zeros(x.size(0), x.size(1), self.vocab_size, device=x.device)
        onehot.scatter(2, x.unsqueeze(2), 1.0)
        out, h = self.rnn(onehot)
        return self.fc2(torch.relu(self.fc1(out)))


def build_model(vocab_size):
    return RNN(vocab_size)
