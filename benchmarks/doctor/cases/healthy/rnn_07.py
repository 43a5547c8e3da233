from glassloom.models import build, settings_of


def build_model(vocab_size, width=128):
    return build(settings_of("rnn")(layers=1, width=int(width), embedding=0), vocab_size)
