from torch import nn


class N(nn.Module):
    def __init__(self, v):
        super().__init__()
        self.r = nn.RNN(v, 8, batch_first=True)
        self.o = nn.Linear(8, v)
        self.v = v

    def forward(self, x):
        return self.o(self.r(nn.functional.one_hot(x, self.v).float())[0])


build_model = N
