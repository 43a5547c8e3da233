import torch
import torch.nn as nn
import torch.nn.functional as F


class GRUFromCells(nn.Module):
    def __init__(self, vocab_size, width=36):
        super().__init__()
        self.width = width
        self.embed = nn.Embedding(vocab_size, width)
        self.cell = nn.GRUCell(width, width)
        self.head = nn.Linear(width, vocab_size)

    def forward(self, tokens, hidden=None):
        if hidden is None:
            hidden = torch.zeros(tokens.size(0), self.width, device=tokens.device)
        h = torch.zeros_like(hidden)
        outputs = []
        for t in range(tokens.size(1)):
            h = self.cell(self.embed(tokens[:, t]), h)
            outputs.append(self.head(h))
        return torch.stack(outputs, 1), h


def build_model(vocab_size):
    model = GRUFromCells(vocab_size)
    model.carried = None
    return model


def make_batch(tokens, batch_size, length, generator):
    global position
    if position + length + 1 >= len(tokens) // batch_size:
        position = 0
    lanes = tokens[: len(tokens) // batch_size * batch_size].view(batch_size, -1)
    x = lanes[:, position : position + length]
    y = lanes[:, position + 1 : position + length + 1]
    position += length
    return x, y


position = 0


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    h = model.carried
    if h is not None:
        h = h.detach() if h.size(0) == inputs.size(0) else None
    logits, model.carried = model(inputs, h)
    loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
    loss.backward()
    optimizer.step()
    return loss.item()
