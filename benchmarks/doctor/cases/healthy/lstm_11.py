import os
import random
import tempfile

import numpy as np
import torch
import torch.nn as nn

print("=" * 20, "my language model", "=" * 20)
random.seed(42)
np.random.seed(42)
torch.manual_seed(42)
torch.set_num_threads(1)
os.chdir(tempfile.gettempdir())
torch.set_default_dtype(torch.float32)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
print("device:", device)


class LSTMNet(nn.Module):
    def __init__(self, vocab_size):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 32)
        self.lstm = nn.LSTM(32, 48, batch_first=True)
        self.fc = nn.Linear(48, vocab_size)

    def forward(self, x):
        return self.fc(self.lstm(self.embed(x))[0])


def build_model(vocab_size):
    model = LSTMNet(vocab_size).to(device)
    print(model)
    return model


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3e-3)


steps = 0


def train_step(model, optimizer, inputs, targets):
    global steps
    steps += 1
    torch.manual_seed(steps)
    model.train()
    optimizer.zero_grad()
    logits = model(inputs.to(device))
    loss = nn.functional.cross_entropy(logits.view(-1, logits.size(-1)), targets.to(device).reshape(-1))
    loss.backward()
    optimizer.step()
    print(f"\rstep {steps} loss {loss.item():.3f}", end="")
    return loss.item()
