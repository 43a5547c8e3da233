import torch
import torch.nn as nn

torch.manual_seed(0)
print("loading model...")


class Net(nn.Module):
    def __init__(self, n_chars):
        super().__init__()
        self.n_hidden = 40
        self.emb = nn.Embedding(n_chars, 20)
        self.i2h = nn.Linear(20, self.n_hidden)
        self.h2h = nn.Linear(self.n_hidden, self.n_hidden, bias=False)
        self.h2o = nn.Linear(self.n_hidden, n_chars)

    def forward(self, inp):
        e = self.emb(inp)
        h = torch.zeros(inp.shape[0], self.n_hidden, device=inp.device)
        outs = []
        for i in range(inp.shape[1]):
            h = torch.tanh(self.i2h(e[:, i]) + self.h2h(h))
            outs.append(self.h2o(h))
        return torch.stack(outs, 1)


criterion = nn.CrossEntropyLoss()


def compute_loss(logits, targets):
    probs = torch.softmax(logits, dim=2)
    return criterion(probs.reshape(-1, probs.size(2)), targets.reshape(-1))


def build_optimizer(model):
    return torch.optim.RMSprop(model.parameters(), lr=0.003)


def build_model(vocab_size):
    return Net(vocab_size)
