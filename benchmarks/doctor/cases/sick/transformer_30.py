import torch
import torch.nn as nn

torch.set_num_threads(1)


class CausalLM(nn.Module):
    def __init__(self, vocab_size, dim=32):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, dim)
        self.pos = nn.Embedding(200, dim)
        layer = nn.TransformerEncoderLayer(dim, 4, 64, dropout=0.1, batch_first=True)
        self.enc = nn.TransformerEncoder(layer, 2)
        self.dec = nn.Linear(dim, vocab_size)

    def forward(self, x):
        T = x.size(1)
        m = nn.Transformer.generate_square_subsequent_mask(T, device=x.device)
        return self.dec(self.enc(self.embed(x) + self.pos(torch.arange(T, device=x.device)), m))


def build_model(vocab_size):
    return CausalLM(vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-9)


def train_step(model, optimizer, inputs, targets):
    optimizer.zero_grad()
    out = model(inputs)
    loss = nn.functional.cross_entropy(out.flatten(0, 1), targets.flatten())
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss
