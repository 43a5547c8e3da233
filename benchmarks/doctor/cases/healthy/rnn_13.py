import torch
import torch.nn as nn

hidden_size = 100
learning_rate = 1e-1


class MinCharRNN(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.Wxh = nn.Parameter(torch.randn(vocab_size, hidden_size) * 0.01)
        self.Whh = nn.Parameter(torch.randn(hidden_size, hidden_size) * 0.01)
        self.Why = nn.Parameter(torch.randn(hidden_size, vocab_size) * 0.01)
        self.bh = nn.Parameter(torch.zeros(hidden_size))
        self.by = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, inputs):
        h = torch.zeros(inputs.size(0), hidden_size, device=inputs.device)
        ys = []
        for t in range(inputs.size(1)):
            h = torch.tanh(self.Wxh[inputs[:, t]] + h @ self.Whh + self.bh)
            ys.append(h @ self.Why + self.by)
        return torch.stack(ys, dim=1)


def build_model(vocab_size):
    return MinCharRNN(vocab_size)


def build_optimizer(model):
    return torch.optim.Adagrad(model.parameters(), lr=learning_rate)


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    logits = model(inputs)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    nn.utils.clip_grad_value_(model.parameters(), 5.0)
    optimizer.step()
    return loss.item()
