from torch import nn


class GRUModel(nn.Module):
    """Embedding, two GRU layers, linear read-out."""

    def __init__(self, vocab, embed_dim=32, hidden_dim=32):
        super().__init__()
        self.embed = nn.Embedding(vocab, embed_dim)
        self.gru = nn.GRU(embed_dim, hidden_dim, num_layers=2, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden_dim, vocab)

    def forward(self, tokens, hidden=None):
        output, hidden = self.gru(self.embed(tokens), hidden)
        return self.out(output), hidden


def build_model(vocab_size):
    return GRUModel(vocab_size)
