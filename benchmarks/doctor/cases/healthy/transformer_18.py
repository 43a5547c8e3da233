import torch

from glassloom.models import build
from glassloom.models.settings import TransformerSettings

SETTINGS = TransformerSettings(
    layers=2, width=32, heads=2, context=48, norm="post", positions="learned", normalization="rms",
    activation="swiglu", tied=True, dropout=0.1,
)


def build_model(vocab_size):
    return build(SETTINGS, vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.1)
