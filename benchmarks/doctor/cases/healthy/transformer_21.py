import torch
import torch.nn as nn
import torch.nn.functional as F


class CausalLM(nn.Module):
    def __init__(self, vocab_size, d=32):
        super().__init__()
        self.wte = nn.Embedding(vocab_size, d)
        self.wpe = nn.Embedding(256, d)
        self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(d, 4, 64, 0.0, batch_first=True) for _ in range(2))
        self.lm_head = nn.Linear(d, vocab_size)

    def forward(self, input_ids):
        t = input_ids.size(1)
        h = self.wte(input_ids) + self.wpe(torch.arange(t, device=input_ids.device))
        m = torch.full((t, t), float("-inf"), device=input_ids.device).triu(1)
        for block in self.blocks:
            h = block(h, m)
        return self.lm_head(h)


def build_model(vocab_size):
    return CausalLM(vocab_size)


def make_batch(tokens, batch_size, length, generator):
    ix = torch.randint(len(tokens) - length, (batch_size,), generator=generator)
    ids = torch.stack([tokens[i : i + length] for i in ix])
    return ids, ids.clone()


def compute_loss(logits, labels):
    return F.cross_entropy(logits[:, :-1].reshape(-1, logits.size(-1)), labels[:, 1:].reshape(-1))


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3)
