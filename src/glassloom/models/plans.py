"""Models as plans: plain arrays from which a row is decoded without torch (see `glassloom.kernels.plan`).

What is served, in one place: every architecture and all of its settings, with float32 parameters on a CPU and no probe
that looks inside. Not served: a transformer whose output is probabilities (they are no logits), other devices, other
types. Where a table of positions ends, a plan serves up to the end of the window; the model itself begins the next one.
"""

import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from glassloom.kernels.plan import (
    FeedForwardActivation,
    Map,
    NormPlan,
    RecurrentLayerPlan,
    RecurrentPlan,
    Row,
    Sublayer,
    TransformerPlan,
)
from glassloom.models.contract import LanguageModel, State
from glassloom.models.layers import Norm
from glassloom.models.memory import Memory
from glassloom.models.positions import frequencies, sinusoids, window

if TYPE_CHECKING:
    from glassloom.models.recurrent import RecurrentModel
    from glassloom.models.transformer import Transformer

FOLDED = 2_000_000
"""A table of tokens takes in the first layer's input product where it then has at most so many entries."""


def served(model: LanguageModel) -> bool:
    """Whether a model is where plans are for, and of their type."""
    plain = all(each.device.type == "cpu" and each.dtype == torch.float32 for each in model.parameters())
    return plain and model.probe is None


@torch.no_grad()
def recurrent_plan(model: "RecurrentModel") -> RecurrentPlan | None:
    """A recurrent model as plain arrays; None where it is not served."""
    if not served(model):
        return None
    first, *others = (layer.plan() for layer in model.stack)
    given = first.input
    assert given is not None
    assert given.bias is not None
    if model.embedding is None:
        table, folded = given.weight.t() + given.bias, True
    else:
        table = model.embedding(torch.arange(model.vocabulary))
        folded = len(table) * len(given.weight) <= FOLDED
        table = F.linear(table, given.weight, given.bias) if folded else table
    if folded:
        first = RecurrentLayerPlan(first.width, None, first.recurrent, first.candidate)
    output = Map(model.output_weight, model.output.bias)
    return RecurrentPlan(model.stack[0].cell, table, (first, *others), output)


def recurrent_rows(state: State, layers: int) -> list[Row]:
    """A recurrent model's state, row by row."""
    return [Row([tuple(part[row] for part in state[i::layers]) for i in range(layers)]) for row in range(len(state[0]))]


def recurrent_state(rows: list[Row]) -> State:
    """The state of these rows."""
    kinds = range(len(rows[0].parts[0]))
    return tuple(torch.stack([row.parts[i][kind] for row in rows]) for kind in kinds for i in range(len(rows[0].parts)))


@torch.no_grad()
def transformer_plan(model: "Transformer") -> TransformerPlan | None:
    """A transformer as plain arrays; None where it is not served."""
    settings = model.settings
    if not served(model) or settings.output != "logits":
        return None
    table: Tensor = model.embedding.weight
    positions: Tensor | None = None if model.positions is None else model.positions.weight
    if settings.positions == "sinusoidal":
        positions = sinusoids(torch.arange(settings.context)[None], settings.width, like=table)[0]
    sublayers, head = [], settings.width // settings.heads
    for layer in model.stack:
        *attention_norms, feedforward_norm = layer.norms
        for attention, norm in zip(layer.attention, attention_norms, strict=True):
            sublayers.append(sublayer_plan(norm, attention.query_key_value, attention.output, attends=True))
        feedforward = layer.feedforward
        sublayers.append(sublayer_plan(feedforward_norm, feedforward.inner, feedforward.output, attends=False))
    return TransformerPlan(
        table=table * math.sqrt(settings.width) if settings.scaled_embedding else table,
        positions=positions,
        frequencies=frequencies(head, settings.rotary_base) if settings.positions == "rotary" else None,
        heads=settings.heads,
        context=settings.context,
        activation=FeedForwardActivation[settings.activation.upper()],
        rms=settings.normalization == "rms",
        norm_after=settings.norm == "post",
        sublayers=tuple(sublayers),
        final=norm_plan(model.final_norm),
        output=Map(model.output_weight, model.output.bias),
        epsilon=settings.norm_epsilon,
    )


def transformer_rows(state: State, context: int, table_ends: bool) -> list[Row]:
    """A transformer's state, row by row, each with the keys that its next token may see."""
    memory, rows = Memory.unpack(state), []
    for number, position in enumerate(memory.position.tolist()):
        begins = 0
        if table_ends:
            start, _ = window(position, context)
            full = start > 0 and position == start + context // 2  # the window before is full, and the next not begun
            begins = position - context if full else start
        kept = min(position - begins, context if table_ends else context - 1, memory.keys)
        parts = [
            tuple(one[number, :, one.shape[2] - kept :] for one in past)  # one: batch heads keys head
            for past in memory.pasts
        ]
        recent = memory.recent[number].tolist() if table_ends else []
        rows.append(Row(parts, position, begins, recent))
    return rows


def transformer_state(rows: list[Row]) -> State:
    """The state of these rows, which have read equally many tokens."""
    pasts = tuple(
        torch.stack([row.parts[i][kind] for row in rows]) for i in range(len(rows[0].parts)) for kind in (0, 1)
    )
    position = torch.tensor([row.position for row in rows])
    recent = torch.tensor([row.recent for row in rows], dtype=torch.long).view(len(rows), -1)
    return (position, recent, *pasts)


def sublayer_plan(norm: Any, inner: Any, outer: Any, attends: bool) -> Sublayer:
    """A sublayer of these parts."""
    return Sublayer(attends, norm_plan(norm), Map(inner.weight, inner.bias), Map(outer.weight, outer.bias))


def norm_plan(norm: Norm | None) -> NormPlan:
    """A norm's weight and bias."""
    return NormPlan() if norm is None else NormPlan(norm.weight, norm.bias)
