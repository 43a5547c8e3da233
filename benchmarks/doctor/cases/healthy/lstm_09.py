import torch

from glassloom.models import build
from glassloom.models.settings import LSTMSettings


def build_model(vocab_size, width=32):
    return build(LSTMSettings(layers=2, width=width, embedding=width, tied=True, dropout=0.2, initial_state="trainable"), vocab_size)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=4e-3)
