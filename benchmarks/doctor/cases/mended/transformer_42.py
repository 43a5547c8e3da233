import torch
import torch.nn as nn


class Lm(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.emb = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(512, d)
        self.enc = nn.TransformerEncoder(nn.TransformerEncoderLayer(d, 4, 64, 0.0, batch_first=True), 2)
        self.out = nn.Linear(d, vocab_size)

    def forward(self, x):
        n = x.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(n, device=x.device)
        return self.out(self.enc(self.emb(x) + self.pos(torch.arange(n, device=x.device)), mask=mask))


def build_model(vocab_size):
    return Lm(vocab_size)


def generate(model, prompt, length):
    out = prompt.clone()
    new = []
    with torch.no_grad():
        for _ in range(length):
            logits = model(out)
            nxt = logits[:, -1, :].argmax(dim=-1)
            new.append(nxt)
            out = torch.cat((out, nxt.unsqueeze(1)), 1)
    return torch.stack(new, 1)
