"""Healthy files with an oddity each, that a doctor could take for a fault: see `doctor_files`."""

from doctor_files import CARRY, PAD_BATCH, R, T

HEALTHY: dict[str, tuple[str, list[tuple[str, str]]]] = {
    "recurrent": (R, []),
    "transformer": (T, []),
    "log-softmax into cross-entropy": (
        R,
        [("return self.out(self.drop(h)), state", "return F.log_softmax(self.out(self.drop(h)), dim=-1), state")],
    ),
    "probabilities into their own logarithm": (
        R,
        [
            ("return self.out(self.drop(h)), state", "return F.softmax(self.out(self.drop(h)), dim=-1), state"),
            (
                "F.cross_entropy(logits.reshape(-1, logits.size(-1)), targets",
                "F.nll_loss(logits.reshape(-1, logits.size(-1)).log(), targets",
            ),
        ],
    ),
    "no positions, two layers": (
        T,
        [
            ("self.tok(idx) + self.pos(torch.arange(idx.size(1)))", "self.tok(idx)"),
            ("        self.pos = nn.Embedding(block, d)\n", ""),
        ],
    ),
    "default nn.RNN": (R, [("nn.LSTM(24", "nn.RNN(24")]),
    "heavy dropout": (R, [("nn.Dropout(0.1)", "nn.Dropout(0.7)")]),
    "one block called in a loop": (
        T,
        [
            ("[Block(d, heads) for _ in range(layers)]", "[Block(d, heads)]"),
            ("for block in self.blocks:", "for block in [self.blocks[0]] * 3:"),
        ],
    ),
    "positions that begin at zero": (
        T,
        [
            (
                "self.pos = nn.Embedding(block, d)",
                "self.pos = nn.Embedding(block, d)\n        nn.init.zeros_(self.pos.weight)",
            )
        ],
    ),
    "last projections that begin at zero": (
        T,
        [
            (
                "self.proj = nn.Linear(d, d)",
                "self.proj = nn.Linear(d, d)\n        nn.init.zeros_(self.proj.weight)\n"
                "        nn.init.zeros_(self.proj.bias)",
            )
        ],
    ),
    "tied weights": (
        T,
        [
            (
                "self.head = nn.Linear(d, vocab_size)",
                "self.head = nn.Linear(d, vocab_size, bias=False)\n"
                "        nn.init.normal_(self.tok.weight, std=0.02)\n"
                "        self.head.weight = self.tok.weight",
            )
        ],
    ),
    "bfloat16": (T, [("return TinyGPT(vocab_size)", "return TinyGPT(vocab_size).to(torch.bfloat16)")]),
    "clipped gradients": (
        R,
        [("    optimizer.step()\n", "    nn.utils.clip_grad_norm_(model.parameters(), 0.5)\n    optimizer.step()\n")],
    ),
    "a carried and detached state": (R, [("    logits, _ = model(inputs)\n", CARRY)]),
    "slow descent without momentum": (R, [("Adam(model.parameters(), lr=3e-3)", "SGD(model.parameters(), lr=0.5)")]),
    "padding that is ignored": (
        R,
        [
            (
                "    y = torch.stack([tokens[i + 1:i + length + 1] for i in starts])\n",
                PAD_BATCH.replace("y[row, cut:] = 0", "y[row, cut:] = -100"),
            )
        ],
    ),
    "label smoothing": (T, [("targets)\n\n\ndef build_opt", "targets, label_smoothing=0.1)\n\n\ndef build_opt")]),
    "a loss that shifts, a batch that does not": (
        R,
        [
            ("tokens[i + 1:i + length + 1]", "tokens[i:i + length]"),
            (
                "logits.reshape(-1, logits.size(-1)), targets.reshape(-1)",
                "logits[:, :-1].reshape(-1, logits.size(-1)), targets[:, 1:].reshape(-1)",
            ),
        ],
    ),
    "accumulated gradients": (
        R,
        [
            ("    optimizer.zero_grad()\n", ""),
            (
                "    optimizer.step()\n",
                "    train_step.calls = getattr(train_step, 'calls', 0) + 1\n"
                "    if train_step.calls % 2 == 0:\n        optimizer.step()\n        optimizer.zero_grad()\n",
            ),
        ],
    ),
}
