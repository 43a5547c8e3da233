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
    "rnn": "4.904504 4.775610 4.648256 4.513758 4.366533 4.205645 4.036629 3.868662 3.709476 3.563594",
    "gru": "4.884539 4.786801 4.688162 4.577886 4.448230 4.295951 4.123779 3.940576 3.758926 3.590868",
    "lstm": "4.854922 4.780025 4.704189 4.611213 4.502025 4.378832 4.242354 4.095448 3.943316 3.793205",
    "transformer": "4.860800 4.554905 4.364187 4.206962 4.044780 3.895623 3.750696 3.615912 3.482779 3.362805",
}

SETTINGS: dict[str, dict[str, object]] = {
    "rnn": {"width": 48, "embedding": 32},
    "gru": {"width": 48, "embedding": 32},
    "lstm": {"width": 48, "embedding": 32},
    "transformer": {"width": 48, "layers": 2, "context": 32},
}
TEXT = (
    "A loom weaves a cloth of many threads, and glass lets one see through it. This text is fixed: it is read "
    "as bytes, cut into rows, and learned from for ten steps, so that the losses of these steps are the same "
    "on every machine, but for rounding. If they move, then something in the forward pass, the backward pass, "
    "the initialization or the order in which random numbers are drawn has changed. That may be meant; then "
    "store the new ones and say why. If it is not meant, this is where one finds out, before a long run does."
)


def ten_losses(name: str) -> list[float]:
    """The loss before each of ten steps of Adam."""
    generator = torch.Generator().manual_seed(1)
    model = build(architecture(name).Settings(**SETTINGS[name]), 128, generator).train()
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
