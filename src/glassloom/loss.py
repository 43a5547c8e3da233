"""The loss of a token: -ln p(token | everything before it in its row), in nats.

Everything else is a conversion; `glassloom.units` has them, and they can be had from here too.
"""

import torch.nn.functional as F

from glassloom.shapes import Logits, TokenNats, Tokens
from glassloom.units import Figures, bits, figures, perplexity

__all__ = ["Figures", "bits", "figures", "perplexity", "token_nats"]


def token_nats(logits: Logits, targets: Tokens) -> TokenNats:
    """The loss of every token, in nats: -log softmax(logits)[target], computed in float32 or better."""
    flat = logits.flatten(0, 1)
    if flat.dtype.itemsize < 4:
        flat = flat.float()
    return F.cross_entropy(flat, targets.flatten().long(), reduction="none").view(targets.shape)
