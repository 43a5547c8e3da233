import torch
import torch.nn as nn


class RNN(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.embed = nn.Embedding(input_size, hidden_size)
        self.i2h = nn.Linear(2 * hidden_size, hidden_size)
        self.h2o = nn.Linear(hidden_size, input_size)
        self.softmax = nn.LogSoftmax(dim=-1)

    def initHidden(self, n):
        return torch.zeros(n, self.hidden_size)

    def forward(self, line):
        hidden = self.initHidden(line.size(0)).to(line.device)
        outputs = []
        for i in range(line.size(1)):
            hidden = torch.tanh(self.i2h(torch.cat((self.embed(line[:, i]), hidden), 1)))
            outputs.append(self.softmax(self.h2o(hidden)))
        return torch.stack(outputs, 1)


criterion = nn.NLLLoss()


def build_model(vocab_size):
    return RNN(vocab_size, 40)


def compute_loss(output, target):
    return criterion(output.flatten(0, 1), target.flatten())
