"""A model as plain float32 arrays, and a row's state likewise: what a decoder needs that does without torch's modules.

A model makes its plan once (`LanguageModel.plan`); `glassloom.kernels.decoders` runs it, compiled or in NumPy. The plan
has dropout left out, weights of one product stacked, and scales and biases folded into the tables that tokens look up.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

from jaxtyping import Float
from torch import Tensor

from glassloom.kernels.native import Cell


class FeedForwardActivation(IntEnum):
    """What a feed-forward's inner vector goes through, numbered as in native/passage.h."""

    GELU = 0
    RELU = 1
    RELU2 = 2
    SWIGLU = 3
    GELU_TANH = 4


@dataclass(frozen=True)
class Map:
    """x W^T + b."""

    weight: Float[Tensor, "outputs inputs"]
    bias: Float[Tensor, " outputs"] | None = None


@dataclass(frozen=True)
class NormPlan:
    """The scale and offset of a norm; a norm without scale is none."""

    weight: Float[Tensor, " width"] | None = None
    bias: Float[Tensor, " width"] | None = None


@dataclass(frozen=True)
class RecurrentLayerPlan:
    """One layer: gates = input(x) + recurrent(h), stacked in torch's order.

    Without `input` the layer below gives the gates themselves. A GRU with the reset gate before the product has its
    candidate's recurrent weight in `candidate`, and `recurrent` lacks it; one with the reset gate after it adds the
    candidate's two products as its equations say. Biases that are only added stand in `input`.
    """

    width: int
    input: Map | None
    recurrent: Map
    candidate: Map | None = None


@dataclass(frozen=True)
class RecurrentPlan:
    """A recurrent model: token -> row of the table -> layers -> output."""

    cell: Cell
    table: Float[Tensor, "vocab entries"]
    layers: tuple[RecurrentLayerPlan, ...]
    output: Map

    @property
    def vocabulary(self) -> int:
        return self.table.shape[0]

    @property
    def window(self) -> None:
        """A recurrent model reads on without end."""
        return None


@dataclass(frozen=True)
class Sublayer:
    """Attention (inner: queries, keys, values; outer: the output) or a feed-forward, and its norm."""

    attends: bool
    norm: NormPlan
    inner: Map
    outer: Map


@dataclass(frozen=True)
class TransformerPlan:
    """A transformer: token -> row of the table (and of the positions') -> sublayers -> norm -> output.

    `frequencies`, in float64, are the angles by which rotary positions turn from one token to the next.
    """

    table: Float[Tensor, "vocab width"]
    positions: Float[Tensor, "context width"] | None
    frequencies: Float[Tensor, " planes"] | None
    heads: int
    context: int
    activation: FeedForwardActivation
    rms: bool
    norm_after: bool
    sublayers: tuple[Sublayer, ...]
    final: NormPlan
    output: Map
    epsilon: float = 1e-5
    """Added to every norm's variance."""

    @property
    def vocabulary(self) -> int:
        return self.table.shape[0]

    @property
    def window(self) -> int | None:
        """So many tokens are read at the most before a new window begins; None where windows slide."""
        return None if self.positions is None else self.context


Plan: TypeAlias = RecurrentPlan | TransformerPlan


@dataclass(frozen=True)
class Choice:
    """How the next token is chosen, as `DecodingSettings` says it; top_k 0, top_p 1 and min_p 0 take nothing away."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    greedy: bool = False
    end: int = -1
    """No token is chosen after this one."""


@dataclass
class Row:
    """What one row remembers.

    `parts` holds for each recurrent layer the hidden vector (and the cell), for each attention sublayer the keys and
    values, `heads keys head`, the newest last. A transformer's table of positions is read at `position - begins`; where
    there is none, `begins` is 0. `recent` are the tokens that its next window begins with.
    """

    parts: list[tuple[Tensor, ...]]
    position: int = 0
    begins: int = 0
    recent: list[int] = field(default_factory=list)


def check_known(token: int, plan: Plan) -> None:
    """Refuse a token that the model has no vector for; an array would be read beyond its ends, or from its end.

    Raises:
        IndexError: it is not one of the vocabulary.
    """
    if not 0 <= token < plan.vocabulary:
        raise IndexError(f"Token {token} is not one of 0 to {plan.vocabulary - 1}, the model's vocabulary")
