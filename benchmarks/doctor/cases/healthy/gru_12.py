import torch
import torch.nn as nn


class GRUScratch(nn.Module):
    def __init__(self, vocab_size, h=32, sigma=0.1):
        super().__init__()
        self.vocab_size, self.h = vocab_size, h

        def triple():
            return (
                nn.Parameter(torch.randn(vocab_size, h) * sigma),
                nn.Parameter(torch.randn(h, h) * sigma),
                nn.Parameter(torch.zeros(h)),
            )

        self.W_xz, self.W_hz, self.b_z = triple()
        self.W_xr, self.W_hr, self.b_r = triple()
        self.W_xh, self.W_hh, self.b_h = triple()
        self.W_hq = nn.Parameter(torch.randn(h, vocab_size) * sigma)
        self.b_q = nn.Parameter(torch.zeros(vocab_size))

    def forward(self, inputs):
        X = nn.functional.one_hot(inputs, self.vocab_size).float()
        H = torch.zeros(inputs.size(0), self.h, device=inputs.device)
        outputs = []
        for x in X.unbind(1):
            Z = torch.sigmoid(x @ self.W_xz + H @ self.W_hz + self.b_z)
            R = torch.sigmoid(x @ self.W_xr + H @ self.W_hr + self.b_r)
            candidate = torch.tanh(x @ self.W_xh + (R * H) @ self.W_hh + self.b_h)
            H = Z * H + (1 - Z) * candidate
            outputs.append(H @ self.W_hq + self.b_q)
        return torch.stack(outputs, 1)


def build_model(vocab_size):
    return GRUScratch(vocab_size)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)
