"""Files as a student would write them, for the doctor's tests: a recurrent one, a transformer, and faults in them.

A fault is a name, the file it goes into, and what is exchanged for what.
"""

RECURRENT = """
import torch
import torch.nn as nn
import torch.nn.functional as F


class CharModel(nn.Module):
    def __init__(self, vocab_size, hidden=48, layers=1):
        super().__init__()
        self.embed = nn.Embedding(vocab_size, 24)
        self.rnn = nn.LSTM(24, hidden, layers, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(hidden, vocab_size)

    def forward(self, x, state=None):
        h, state = self.rnn(self.embed(x), state)
        return self.out(self.drop(h)), state


def build_model(vocab_size, **kw):
    return CharModel(vocab_size, **kw)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets.reshape(-1))


def build_optimizer(model):
    return torch.optim.Adam(model.parameters(), lr=3e-3)


def train_step(model, optimizer, inputs, targets):
    model.train()
    optimizer.zero_grad()
    logits, _ = model(inputs)
    loss = compute_loss(logits, targets)
    loss.backward()
    optimizer.step()
    return loss.item()


def make_batch(tokens, batch_size, length, generator):
    starts = torch.randint(len(tokens) - length - 1, (batch_size,), generator=generator).tolist()
    x = torch.stack([tokens[i:i + length] for i in starts])
    y = torch.stack([tokens[i + 1:i + length + 1] for i in starts])
    return x, y


@torch.no_grad()
def generate(model, prompt, length):
    model.eval()
    tokens = prompt.clone()
    for _ in range(length):
        logits, _ = model(tokens)
        tokens = torch.cat([tokens, logits[:, -1].argmax(-1, keepdim=True)], dim=1)
    return tokens
"""

TRANSFORMER = """
import math
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv = nn.Linear(d, 3 * d)
        self.proj = nn.Linear(d, d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x):
        B, T, D = x.shape
        q, k, v = self.qkv(self.n1(x)).split(D, dim=2)
        q, k, v = (z.view(B, T, self.heads, D // self.heads).transpose(1, 2) for z in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(D // self.heads)
        mask = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
        scores = scores.masked_fill(mask, float("-inf"))
        y = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(B, T, D)
        x = x + self.proj(y)
        return x + self.mlp(self.n2(x))


class TinyGPT(nn.Module):
    def __init__(self, vocab_size, d=32, heads=4, layers=2, block=40):
        super().__init__()
        self.tok = nn.Embedding(vocab_size, d)
        self.pos = nn.Embedding(block, d)
        self.blocks = nn.ModuleList([Block(d, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(d)
        self.head = nn.Linear(d, vocab_size)

    def forward(self, idx):
        x = self.tok(idx) + self.pos(torch.arange(idx.size(1)))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def build_model(vocab_size):
    return TinyGPT(vocab_size)


def compute_loss(logits, targets):
    return F.cross_entropy(logits.transpose(1, 2), targets)


def build_optimizer(model):
    return torch.optim.AdamW(model.parameters(), lr=1e-3)


def generate(model, prompt, length):
    idx, new = prompt, []
    for _ in range(length):
        with torch.no_grad():
            logits = model(idx[:, -40:])
        token = logits[:, -1].argmax(dim=-1, keepdim=True)
        new.append(token)
        idx = torch.cat((idx, token), dim=1)
    return torch.cat(new, dim=1)
"""

R, T = RECURRENT, TRANSFORMER
PAD_BATCH = """    y = torch.stack([tokens[i + 1:i + length + 1] for i in starts])
    for row in range(batch_size):
        cut = int(torch.randint(length // 2, length - 1, (1,), generator=generator))
        x[row, cut:] = 0
        y[row, cut:] = 0
"""
OWN_STEP = """
def train_step(model, optimizer, inputs, targets):
    loss = compute_loss(model(inputs), targets)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
"""
CARRY = """    state = getattr(model, "kept", None)
    logits, state = model(inputs, state)
    model.kept = tuple(part.detach() for part in state)
"""

STEPWISE = """e, hs = self.embed(x), []
        for t in range(x.size(1)):
            h, state = self.rnn(e[:, t:t + 1], None if state is None else tuple(s.detach() for s in state))
            hs.append(h)
        h = torch.cat(hs, 1)"""
"""The state is detached between time steps: every parameter gets a gradient, and none goes back in time."""

FAULTS: dict[str, list[tuple[str, list[tuple[str, str]]]]] = {
    "softmax-before-loss": [
        (R, [("return self.out(self.drop(h)), state", "return F.softmax(self.out(self.drop(h)), dim=-1), state")]),
        (
            T,
            [
                (
                    "F.cross_entropy(logits.transpose(1, 2), targets)",
                    "F.cross_entropy(logits.softmax(-1).transpose(1, 2), targets)",
                )
            ],
        ),
    ],
    "future-leak": [
        (R, [("hidden, layers, batch_first=True", "hidden // 2, layers, batch_first=True, bidirectional=True")]),
        (T, [('        scores = scores.masked_fill(mask, float("-inf"))\n', "")]),
        (T, [("dtype=torch.bool), 1)", "dtype=torch.bool), 2)")]),
        (T, [("F.softmax(scores, dim=-1)", "F.softmax(scores, dim=-2).nan_to_num()")]),
    ],
    "batch-leak": [
        (R, [(", batch_first=True", "")]),
        (T, [("self.norm(x))", "self.norm(x) - x.mean(0, keepdim=True))")]),
    ],
    "time-batch-swapped": [
        (R, [("return self.out(self.drop(h)), state", "return self.out(self.drop(h)).transpose(0, 1), state")]),
        (
            T,
            [
                (
                    "return self.head(self.norm(x))",
                    "x = self.head(self.norm(x))\n        return x.transpose(0, 1).reshape(x.shape)",
                )
            ],
        ),
    ],
    "no-past": [
        (
            R,
            [
                (
                    "h, state = self.rnn(self.embed(x), state)",
                    "B, L = x.shape\n        h, state = self.rnn(self.embed(x).reshape(B * L, 1, -1))\n"
                    "        h = h.reshape(B, L, -1)",
                )
            ],
        ),
        (T, [("dtype=torch.bool), 1)", "dtype=torch.bool), 1) | ~torch.eye(T, dtype=torch.bool)")]),
    ],
    "input-ignored": [
        (R, [("self.rnn(self.embed(x), state)", "self.rnn(self.embed(x) * 0, state)")]),
        (T, [("self.tok(idx) + self.pos", "torch.zeros_like(self.tok(idx)) + self.pos")]),
    ],
    "no-position": [
        (
            R,
            [
                (
                    "h, state = self.rnn(self.embed(x), state)",
                    "e = self.embed(x)\n        n = torch.arange(1, x.size(1) + 1).view(1, -1, 1)\n"
                    "        h = torch.cat([e.cumsum(1) / n, e], -1)",
                )
            ],
        ),
        (T, [("self.tok(idx) + self.pos(torch.arange(idx.size(1)))", "self.tok(idx)"), ("layers=2", "layers=1")]),
    ],
    "eval-randomness": [
        (R, [("self.drop(h)", "F.dropout(h, 0.3)")]),
        (T, [("x = x + self.proj(y)", "x = x + F.dropout(self.proj(y), p=0.2)")]),
    ],
    "state-leaks-across-calls": [
        (
            R,
            [
                (
                    "h, state = self.rnn(self.embed(x), state)",
                    'old = getattr(self, "old", None)\n        if old is not None and old[0].size(1) != x.size(0):\n'
                    "            old = None\n        h, state = self.rnn(self.embed(x), old)\n"
                    "        self.old = tuple(s.detach() for s in state)",
                )
            ],
        ),
    ],
    "bad-initial-loss": [
        (
            R,
            [
                (
                    "self.out = nn.Linear(hidden, vocab_size)",
                    "self.out = nn.Linear(hidden, vocab_size)\n        nn.init.normal_(self.out.weight, std=6.0)",
                )
            ],
        ),
        (T, [("return self.head(self.norm(x))", "return self.head(self.norm(x)) * 30")]),
    ],
    "vocabulary-mismatch": [
        (R, [("nn.Linear(hidden, vocab_size)", "nn.Linear(hidden, 128)")]),
        (T, [("nn.Linear(d, vocab_size)", "nn.Linear(d, vocab_size - 1)")]),
        (T, [("nn.Embedding(vocab_size, d)", "nn.Embedding(vocab_size - 1, d)")]),
    ],
    "unreached-parameters": [
        (R, [("self.embed(x), state)", "self.embed(x).detach(), state)")]),
        (T, [("self.norm = nn.LayerNorm(d)", "self.norm = nn.LayerNorm(d)\n        self.extra = nn.Linear(d, d)")]),
        (T, [("x = block(x)", "x = x + block(x).detach()")]),
    ],
    "optimizer-misses-parameters": [
        (R, [("Adam(model.parameters()", "Adam(model.rnn.parameters()")]),
        (T, [("nn.ModuleList([Block(d, heads) for _ in range(layers)])", "[Block(d, heads) for _ in range(layers)]")]),
    ],
    "layers-share-weights": [
        (T, [("nn.ModuleList([Block(d, heads) for _ in range(layers)])", "nn.ModuleList([Block(d, heads)] * layers)")]),
    ],
    "gradients-not-zeroed": [
        (R, [("    optimizer.zero_grad()\n", "")]),
        (T, [("def generate", OWN_STEP.replace("    optimizer.zero_grad()\n", "") + "\n\ndef generate")]),
    ],
    "vanishing-gradient": [
        (
            R,
            [
                ("nn.LSTM(24", "nn.RNN(24"),
                ("self.drop = ", "nn.init.normal_(self.rnn.weight_hh_l0, std=0.003)\n        self.drop = "),
            ],
        ),
        (R, [("h, state = self.rnn(self.embed(x), state)", STEPWISE)]),
    ],
    "exploding-gradient": [
        (
            R,
            [
                ("nn.LSTM(24", "nn.RNN(24"),
                ("self.drop = ", "nn.init.normal_(self.rnn.weight_hh_l0, std=0.7)\n        self.drop = "),
            ],
        ),
        (
            R,
            [
                ("nn.LSTM(24, hidden, layers,", 'nn.RNN(24, hidden, layers, nonlinearity="relu",'),
                ("self.drop = ", "nn.init.normal_(self.rnn.weight_hh_l0, std=1.0)\n        self.drop = "),
            ],
        ),
    ],
    "saturated-attention": [
        (T, [(" / math.sqrt(D // self.heads)", " * 60")]),
    ],
    "learning-rate-too-high": [(R, [("lr=3e-3", "lr=1.0")]), (T, [("lr=1e-3", "lr=0.5")])],
    "learning-rate-too-low": [
        (R, [("lr=3e-3", "lr=1e-7")]),
        (T, [("AdamW(model.parameters(), lr=1e-3", "SGD(model.parameters(), lr=1e-6")]),
    ],
    "no-progress": [
        (R, [("loss.backward()", "(-loss).backward()")]),
        (R, [("    loss.backward()\n", "    loss.backward()\n    optimizer.zero_grad()\n")]),
        (T, [("def generate", OWN_STEP.replace("    optimizer.step()\n", "") + "\n\ndef generate")]),
        (T, [("lr=1e-3", "lr=1e-3, maximize=True")]),
    ],
    "targets-not-shifted": [(R, [("tokens[i + 1:i + length + 1]", "tokens[i:i + length]")])],
    "targets-misaligned": [
        (R, [("tokens[i + 1:i + length + 1]", "tokens[i + 2:i + length + 2]")]),
        (T, [("logits.transpose(1, 2), targets", "logits[:, :-1].transpose(1, 2), targets[:, 1:]")]),
    ],
    "loss-ignores-positions": [
        (R, [("logits.reshape(-1, logits.size(-1)), targets.reshape(-1)", "logits[:, -1], targets[:, -1]")]),
        (T, [("logits.transpose(1, 2), targets", "logits[:, :4].transpose(1, 2), targets[:, :4]")]),
    ],
    "loss-misreads-axes": [
        (R, [("targets.reshape(-1))", "targets.t().reshape(-1))")]),
        (T, [("logits.transpose(1, 2), targets", "logits.reshape(logits.size(0), -1, logits.size(1)), targets")]),
    ],
    "loss-not-a-mean": [
        (R, [("targets.reshape(-1))", 'targets.reshape(-1), reduction="sum")')]),
        (T, [("targets)\n\n\ndef build_opt", 'targets, reduction="none").sum(1).mean()\n\n\ndef build_opt')]),
    ],
    "padding-counted": [(R, [("    y = torch.stack([tokens[i + 1:i + length + 1] for i in starts])\n", PAD_BATCH)])],
    "state-not-detached": [
        (
            R,
            [
                ("    logits, _ = model(inputs)\n", CARRY.replace("tuple(part.detach() for part in state)", "state")),
                ("loss.backward()", "loss.backward(retain_graph=True)"),
                ("optimizer.step()", "pass  # optimizer.step()"),
            ],
        ),
        (R, [("    logits, _ = model(inputs)\n", CARRY.replace("tuple(part.detach() for part in state)", "state"))]),
    ],
    "state-reset-each-window": [
        (
            R,
            [("    logits, _ = model(inputs)\n", CARRY), ("self.rnn(self.embed(x), state)", "self.rnn(self.embed(x))")],
        ),
        (R, [("    logits, _ = model(inputs)\n", CARRY.replace('getattr(model, "kept", None)', "None"))]),
    ],
    "generation-mismatch": [
        (R, [("model(tokens)", "model(tokens[:, -1:])")]),
        (T, [("logits[:, -1].argmax", "logits[:, 0].argmax")]),
    ],
    "non-finite": [
        (R, [("return self.out(self.drop(h))", "return self.out(self.drop(h)).sqrt()")]),
        (T, [("dtype=torch.bool), 1)", "dtype=torch.bool), 0)")]),
    ],
}
"""For each name the files that have it: which file, and what is exchanged in it."""


def written(source: str, changes: list[tuple[str, str]]) -> str:
    """The file with its changes; each must be there to be exchanged."""
    for change in changes:
        old, new = change[0], change[-1]
        assert old in source, old
        source = source.replace(old, new)
    return source
