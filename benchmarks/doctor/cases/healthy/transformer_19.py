from glassloom.models import build
from glassloom.models.settings import TransformerSettings


def build_model(vocab_size):
    settings = TransformerSettings(layers=3, width=32, heads=4, context=32, positions="none", attention_sublayers=2)
    return build(settings, vocab_size)
