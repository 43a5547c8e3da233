"""An output bias in a layout that has none, exactly: some entries more in every vector, one of which is always 1.

Let d be the width and k the entries added. Before a norm the residual stream x is only ever read through that norm, so
its mean can be taken out of all that writes to it (embedding, positions, each sublayer's output). With k zeros more

    mean' = 0,    variance' = variance d / (d + k),    norm'(x) = sqrt((d + k) / d) norm(x)    with epsilon d / (d + k)

and a norm's weight takes the factor back. The added entries have weight 0; the first of them has bias 1 in the last
norm, and the output matrix's column for it is the output bias. Nothing but rounding differs.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from glassloom.models.settings import TransformerSettings

Weights = dict[str, Tensor]


def added(settings: TransformerSettings) -> int:
    """How many entries are added: one for each head, so that the heads still divide the width."""
    return settings.heads


def widened(weights: Mapping[str, Tensor], settings: TransformerSettings) -> Weights:
    """A pre-norm transformer's weights by our names, every bias among them, without `output.bias`: it is within."""
    width, more = settings.width, added(settings)
    factor = math.sqrt(width / (width + more))
    found = dict(weights)
    for name, weight in weights.items():
        if name in ("embedding.weight", "positions.weight"):
            found[name] = grown(weight - weight.mean(1, keepdim=True), 1, more)
        elif ".norms." in name or name.startswith("final_norm."):
            found[name] = grown(weight * factor if name.endswith("weight") else weight, 0, more)
        elif name.endswith(("query_key_value.weight", "inner.weight")):
            found[name] = grown(weight, 1, more)
        elif name.startswith("layers.") and name.endswith((".output.weight", ".output.bias")):
            found[name] = grown(weight - weight.mean(0, keepdim=True), 0, more)
    found["final_norm.bias"][width] = 1
    output = grown(weights.get("output.weight", weights["embedding.weight"]), 1, more)
    output[:, width] = found.pop("output.bias")
    found["output.weight"] = output
    return found


def narrowed(weights: Mapping[str, Tensor], settings: TransformerSettings) -> Weights | None:
    """The weights before they were widened; None where the added entries hold something else by now."""
    width, more = settings.width, added(settings)
    factor = math.sqrt((width + more) / width)
    found, sound = dict(weights), True

    def cut(name: str, axis: int) -> Tensor:
        nonlocal sound
        kept, rest = weights[name].split((width, more), axis)
        expected = torch.zeros_like(rest)
        if name == "final_norm.bias":
            expected[0] = 1
        sound &= bool((rest == expected).all())
        return kept

    for name in weights:
        if name in ("embedding.weight", "positions.weight"):
            found[name] = cut(name, 1)
        elif ".norms." in name or name.startswith("final_norm."):
            found[name] = cut(name, 0) * (factor if name.endswith("weight") else 1)
        elif name.endswith(("query_key_value.weight", "inner.weight")):
            found[name] = cut(name, 1)
        elif name.startswith("layers.") and name.endswith((".output.weight", ".output.bias")):
            found[name] = cut(name, 0)
    found["output.weight"], rest = weights["output.weight"].split((width, more), 1)
    found["output.bias"] = rest[:, 0]
    return found if sound and not rest[:, 1:].any() else None


def grown(weight: Tensor, axis: int, more: int) -> Tensor:
    """A tensor with zeros after the end of one axis."""
    zeros = list(weight.shape)
    zeros[axis] = more
    return torch.cat([weight, weight.new_zeros(zeros)], axis)
