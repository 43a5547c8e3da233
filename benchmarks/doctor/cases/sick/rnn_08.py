import torch
import torch.nn as nn

loss_fn = nn.CrossEntropyLoss()


class ReviewRNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, 24)
        self.rnn = nn.RNN(24, 40, batch_first=True)
        self.output = nn.Linear(40, vocab_size)

    def forward(self, x):
        seq, last = self.rnn(self.embedding(x))
        return self.output(seq), last


def build_model(vocab_size):
    return ReviewRNN(vocab_size)


def build_optimizer(model):
    return torch.optim.Adagrad(model.parameters(), lr=0.02)


def train_step(model, optimizer, inputs, targets):
    for p in model.output.parameters():
        p.grad = None
    scores, _ = model(inputs)
    loss = loss_fn(scores.flatten(end_dim=1), targets.flatten())
    loss.backward()
    optimizer.step()
    return float(loss)
