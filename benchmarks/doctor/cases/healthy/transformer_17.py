from glassloom.models import build
from glassloom.models.settings import TransformerSettings


def build_model(vocab_size):
    return build(TransformerSettings(layers=2, width=32, heads=4, context=64), vocab_size)
