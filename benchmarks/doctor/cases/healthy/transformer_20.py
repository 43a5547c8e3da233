import torch
import torch.nn as nn


class Net(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(512, d)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4, 64, 0.0, batch_first=True), 2)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        t = x.size(1)
        m = nn.Transformer.generate_square_subsequent_mask(t, device=x.device)
        return self.out(self.enc(self.emb(x) + self.pos(torch.arange(t, device=x.device)), mask=m))


def build_model(vocab_size):
    return Net(vocab_size)


@torch.no_grad()
def generate(model, prompt, length):
    g = torch.Generator().manual_seed(2024)
    model.eval()
    x = prompt
    for _ in range(length):
        p = torch.softmax(model(x)[:, -1] / 0.8, dim=-1)
        x = torch.cat([x, torch.multinomial(p, 1, generator=g)], dim=1)
    return x
