import torch
import torch.nn as nn

criterion = nn.CrossEntropyLoss()


class SimpleRNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, 32)
        self.rnn = nn.RNN(32, 48, batch_first=True)
        self.fc = nn.Linear(48, vocab_size)

    def forward(self, x):
        out, hidden = self.rnn(self.emb(x))
        return self.fc(out), hidden


def build_model(vocab_size):
    return SimpleRNN(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.003)


def train_step(model, optimizer, inputs, targets):
    model.train()
    optimizer.zero_grad()
    output, _ = model(inputs)
    loss = criterion(output.transpose(1, 2), targets)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    return loss.item()
