"""Causal self-attention with several heads (Vaswani et al. 2017, section 3.2).

    Q, K, V = x W_Q, x W_K, x W_V            split into heads
    A = softmax(Q K^T / sqrt(head width))    over the keys that a query may see: itself and the past
    y = (A V) W_O

Queries are the rows of A, keys its columns. Keys and values of earlier calls come in as `past` and go out extended, so
a text in pieces is attended to as in one pass. New tokens among themselves, as training has them, are attended to in
C++ where that is built (`glassloom.kernels.attention`).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from glassloom.kernels import See, attention
from glassloom.models.layers import Linear, drop
from glassloom.models.positions import Turn, turn

Past = tuple[Tensor, Tensor]
"""Keys and values of earlier tokens, each `batch heads keys head`."""


class Attention(nn.Module):
    """One attention sublayer: the weights of queries, keys and values stacked in this order, and the output's."""

    def __init__(self, width: int, heads: int, bias: bool) -> None:
        super().__init__()
        self.heads = heads
        self.query_key_value = Linear(width, 3 * width, bias)
        self.output = Linear(width, width, bias)

    def forward(
        self,
        values: Float[Tensor, "batch time width"],
        past: Past | None,
        visible: Bool[Tensor, "#batch 1 time keys"] | None,
        by: Turn | None,
        dropout: float,
        generator: torch.Generator | None,
        see: See | None,
    ) -> tuple[Float[Tensor, "batch time width"], Past]:
        """What the tokens take from those they see, and all keys and values.

        Without `visible` every query sees all of the past, and of the new tokens itself and those before it.
        """
        projected = self.query_key_value(values).unflatten(-1, (3, self.heads, -1))
        alone = past is None and visible is None and see is None and not dropout
        if alone and (by is None or len(by[0]) == 1) and attention.serves(projected):
            mixed, keys = attention.attention(projected, by)
            return self.output(mixed), (keys, projected[:, :, 2].transpose(1, 2))
        queries, keys, contents = projected.permute(2, 0, 3, 1, 4).unbind(0)
        if by is not None:
            queries, keys = turn(queries, by), turn(keys, by)
        if see is not None:
            queries, keys, contents = see("queries", queries), see("keys", keys), see("values", contents)
        if past is not None:
            keys, contents = torch.cat([past[0], keys], 2), torch.cat([past[1], contents], 2)
        if see is not None or dropout or prefers_explicit(queries, keys):
            mixed = attend_explicitly(queries, keys, contents, visible, dropout, generator, see)
        else:
            mixed = attend_fused(queries, keys, contents, visible)
        mixed = mixed if see is None else see("mixed", mixed)
        return self.output(mixed.transpose(1, 2).flatten(2)), (keys, contents)


SCORES = 2**26
"""The plain way holds all scores of a layer; beyond so many the fused kernel, which holds none, is taken."""


def prefers_explicit(queries: Tensor, keys: Tensor) -> bool:
    """Whether two plain products and a softmax measure faster than torch's fused kernel: in bfloat16 on a CPU.

    Forward and backward, from 12 rows, 4 heads, 64 tokens to 4 rows, 8 heads, 512 tokens: there 1.6 to 5 times faster
    than the fused kernel; in float32 the fused one is 1.1 to 3.3 times faster. Where `kernels.attention` serves, it is
    faster than both; this is for the rest: kept keys, rows at unlike places, no compiler.
    """
    scores = queries.shape[0] * queries.shape[1] * queries.shape[2] * keys.shape[2]
    return queries.dtype == torch.bfloat16 and queries.device.type == "cpu" and scores <= SCORES


def attend_fused(
    queries: Float[Tensor, "batch heads time head"],
    keys: Float[Tensor, "batch heads keys head"],
    contents: Float[Tensor, "batch heads keys head"],
    visible: Bool[Tensor, "#batch 1 time keys"] | None,
) -> Float[Tensor, "batch heads time head"]:
    """A V by torch's fused kernel, which never holds A."""
    time, count = queries.shape[2], keys.shape[2]
    if visible is None and time > 1 and count > time:
        visible = causal(time, count, queries.device)
    return F.scaled_dot_product_attention(
        queries, keys, contents, attn_mask=visible, is_causal=visible is None and time > 1
    )


def attend_explicitly(
    queries: Float[Tensor, "batch heads time head"],
    keys: Float[Tensor, "batch heads keys head"],
    contents: Float[Tensor, "batch heads keys head"],
    visible: Bool[Tensor, "#batch 1 time keys"] | None,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
    see: See | None = None,
) -> Float[Tensor, "batch heads time head"]:
    """A V by the equations, with A at hand: for a probe, for dropout from our own generator, and for bfloat16."""
    if visible is None and queries.shape[2] > 1:
        visible = causal(queries.shape[2], keys.shape[2], queries.device)
    scores = (queries / math.sqrt(queries.shape[-1])) @ keys.transpose(2, 3)
    if visible is not None:
        scores = scores.masked_fill(~visible, -math.inf)
    weights = scores.softmax(-1)
    if see is not None:
        weights = see("weights", weights)
    return drop(weights, dropout, generator) @ contents


def causal(time: int, keys: int, device: torch.device) -> Bool[Tensor, "1 1 time keys"]:
    """What each of `time` new tokens sees of `keys` tokens, the last of which are the new ones."""
    return torch.ones(1, 1, time, keys, dtype=torch.bool, device=device).tril(keys - time)
