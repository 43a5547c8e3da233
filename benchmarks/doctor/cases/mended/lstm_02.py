import torch
import torch.nn as nn


class LanguageModel(nn.Module):
    def __init__(self, vocab_size, embedding_dim, hidden_dim):
        super().__init__()
        self.word_embeddings = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_dim, batch_first=True)
        self.hidden2tag = nn.Linear(hidden_dim, vocab_size)

    def forward(self, sentence):
        embeds = self.word_embeddings(sentence)
        lstm_out, _ = self.lstm(embeds)
        return self.hidden2tag(lstm_out)


def build_model(vocab_size, embedding_dim=32, hidden_dim=32):
    return LanguageModel(vocab_size, embedding_dim, hidden_dim)


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=0.005)
