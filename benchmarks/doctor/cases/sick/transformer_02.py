import torch
from torch import nn
import torch.nn.functional as F

device = "cuda" if torch.cuda.is_available() else "cpu"
D, H, MAXLEN = 32, 4, 128


class TinyGPT(nn.Module):
    def __init__(self, V):
        super().__init__()
        self.wte = nn.Embedding(V, D)
        self.wpe = nn.Embedding(MAXLEN, D)
        layer = nn.TransformerEncoderLayer(D, H, 4 * D, dropout=0.0, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.lm_head = nn.Linear(D, V)

    def forward(self, idx):
        T = idx.size(1)
        mask = nn.Transformer.generate_square_subsequent_mask(T, device=idx.device)
        h = self.wte(idx) + self.wpe(torch.arange(T, device=idx.device))
        z = self.lm_head(self.body(h, mask=mask, is_causal=True))
        e = torch.exp(z - z.amax(-1, keepdim=True))
        return e / e.sum(-1, keepdim=True)


def build_model(vocab_size):
    return TinyGPT(vocab_size).to(device)


def train_step(model, optimizer, x, y):
    x, y = x.to(device), y.to(device)
    optimizer.zero_grad(set_to_none=True)
    out = model(x)
    loss = F.cross_entropy(out.view(-1, out.size(-1)), y.view(-1))
    loss.backward()
    optimizer.step()
    return loss.item()
