"""Ten losses of each architecture, stored: a refactor may not move them.

They are the losses before each of ten steps of plain Adam on rows of a small text, float32, one thread. Where a change
is meant to move them, store what `ten_losses` returns and say why in the commit:

    PYTHONPATH=tests python -c "import test_golden as golden; print(golden.show())"
"""

import pytest
import torch

from glassloom.loss import token_nats
from glassloom.models import ARCHITECTURES, architecture, build

LOSSES = {
    "rnn": "4.915557 4.814014 4.716822 4.592356 4.480394 4.320150 4.165764 4.007523 3.818453 3.659498",
    "gru": "4.884402 4.795831 4.707414 4.593127 4.486539 4.327356 4.157712 4.000827 3.805058 3.640961",
    "lstm": "4.860190 4.787351 4.729514 4.643571 4.539588 4.417614 4.282044 4.142279 3.992443 3.852518",
    "transformer": "4.859863 4.568765 4.380033 4.226739 4.072666 3.918318 3.777346 3.641097 3.512189 3.390639",
}

SETTINGS: dict[str, dict[str, object]] = {
    "rnn": {"width": 48, "embedding": 32, "dropout": 0.1},
    "gru": {"width": 48, "embedding": 32, "dropout": 0.1},
    "lstm": {"width": 48, "embedding": 32, "dropout": 0.1},
    "transformer": {"width": 48, "layers": 2, "context": 32, "dropout": 0.1},
}
TEXT = (
    "A loom weaves a cloth of many threads, and glass lets one see through it. This text is fixed: it is read "
    "as bytes, cut into rows, and learned from for ten steps, so that the losses of these steps are the same "
    "on every machine, but for rounding. If they move, then something in the forward pass, the backward pass, "
    "the initialization or the order in which random numbers are drawn has changed. That may be meant; then "
    "store the new ones and say why. If it is not meant, this is where one finds out, before a long run does."
)


def ten_losses(name: str) -> list[float]:
    """The loss before each of ten steps of Adam, dropout on."""
    generator = torch.Generator().manual_seed(1)
    model = build(architecture(name).Settings(**SETTINGS[name]), 128, generator).train()
    model.generator = generator
    stream = torch.tensor(list(TEXT.encode("ascii")))[: 16 * 32 + 1]
    inputs, targets = stream[:-1].view(16, 32), stream[1:].view(16, 32)
    optimizer, losses = torch.optim.Adam(model.parameters(), 0.003), []
    for _ in range(10):
        loss = token_nats(model(inputs)[0], targets).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def show() -> dict[str, str]:
    """Today's losses, as LOSSES stores them."""
    torch.set_num_threads(1)
    return {name: " ".join(f"{loss:.6f}" for loss in ten_losses(name)) for name in ARCHITECTURES}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_ten_losses_are_where_they_were(name: str) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert ten_losses(name) == pytest.approx([float(loss) for loss in LOSSES[name].split()], rel=1e-5)
    finally:
        torch.set_num_threads(threads)
