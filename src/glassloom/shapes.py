"""The axis glossary: one vocabulary of axes for every tensor that crosses a public border.

    batch    rows that are computed side by side; nothing flows between them
    time     positions of one row, the past first
    vocab    entries of the vocabulary
    width    entries of a hidden vector
    inputs   entries of a layer's input vector
    gates    a cell's stacked gates times its width
    heads    attention heads
    head     entries of one head's vector
    inner    entries inside a transformer's feed-forward
    keys     positions that are attended to
    layers   layers, the one next to the tokens first

Checked in tests (jaxtyping with beartype), never in production.
"""

from typing import TypeAlias

from jaxtyping import Bool, Float, Int
from torch import Tensor

Tokens: TypeAlias = Int[Tensor, "batch time"]
Logits: TypeAlias = Float[Tensor, "batch time vocab"]
Hidden: TypeAlias = Float[Tensor, "batch time width"]
TokenNats: TypeAlias = Float[Tensor, "batch time"]
Mask: TypeAlias = Bool[Tensor, "batch time"]
Rows: TypeAlias = Bool[Tensor, " batch"]
