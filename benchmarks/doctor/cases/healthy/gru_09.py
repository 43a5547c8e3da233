from glassloom.models import build
from glassloom.models.settings import GRUSettings


def build_model(vocab_size):
    return build(GRUSettings(layers=1, width=48), vocab_size)
