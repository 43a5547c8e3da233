"""The contract that every architecture keeps: `forward(tokens, state=None) -> (logits, state)`.

Logits at every position; the loss is outside. The state is all that a row remembers: the hidden vector, (h, c), or the
keys and values. A model that is given the text in pieces, with the state carried, gives the same logits as in one pass;
so truncated backpropagation through time, streaming evaluation and fast decoding are one code path.
"""

from typing import Any, ClassVar, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from glassloom.kernels.plan import Plan, Row
from glassloom.loss import token_nats
from glassloom.models.inside import Probe
from glassloom.models.settings import ModelSettings
from glassloom.shapes import Hidden, Logits, Rows, TokenNats, Tokens

State: TypeAlias = tuple[Tensor, ...]
"""What a row remembers: tensors whose first axis is the batch. Only the model that made it knows what is in it."""


class LanguageModel(nn.Module):
    """A distribution over the next token, given the tokens before it.

    A subclass defines `Settings`, `__init__(settings, vocabulary, generator)`, `hidden`, `logits` and `initial_state`.
    """

    Settings: ClassVar[type[ModelSettings]]
    settings: ModelSettings
    vocabulary: int
    generator: torch.Generator | None = None
    """Where dropout draws its masks from; None is torch's global generator."""
    probe: Probe | None = None
    """Sees, and may replace, every inner value; see `glassloom.models.inside`."""
    repeated: int = 0
    """While a pass runs: how many tokens at the front of what the probe sees are run again, having been seen before."""

    def __init__(self, settings: Any, vocabulary: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings, self.vocabulary = settings, vocabulary

    @property
    def context(self) -> int | None:
        """The longest reach into the past, in tokens; None where it has no bound."""
        return None

    def window_start(self, position: int) -> int:
        """The first token whose trace is left when the one at a position is read; 0 where a row never begins anew."""
        return 0

    def forward(self, tokens: Tokens, state: State | None = None) -> tuple[Logits, State]:
        """Logits for the token after each position, and the state after the last one; no state means a new row."""
        hidden, state = self.hidden(tokens, state)
        return self.logits(hidden), state

    def hidden(self, tokens: Tokens, state: State | None = None) -> tuple[Hidden, State]:
        """Everything before the output layer: the vector at each position that `logits` reads."""
        raise NotImplementedError

    def logits(self, hidden: Hidden) -> Logits:
        """The output layer alone."""
        raise NotImplementedError

    def lens(self, hidden: Hidden) -> Logits | None:
        """What the output layer would say of a vector on its way (nostalgebraist 2020, the logit lens).

        Of a recurrent layer's hidden vector, or the stream after a transformer's layer; None where widths differ.
        """
        return self.logits(hidden) if hidden.shape[-1] == self.output_weight.shape[1] else None

    def weighted_nats(self, hidden: Hidden, targets: Tokens, weights: TokenNats) -> Float[Tensor, ""]:
        """The sum over all positions of `weights` times the target's loss in nats: what training goes down.

        The logits of a large vocabulary need not exist all at once for it.
        """
        return (token_nats(self.logits(hidden), targets) * weights).sum()

    def initial_state(self, batch: int) -> State:
        """The state of `batch` new rows."""
        raise NotImplementedError

    def restart(self, state: State, fresh: Rows) -> State:
        """The state with the rows marked in `fresh` begun anew."""
        start = self.initial_state(fresh.shape[0])
        return tuple(
            torch.where(fresh.view(-1, *[1] * (old.ndim - 1)), new, old) for new, old in zip(start, state, strict=True)
        )

    @property
    def output_weight(self) -> Tensor:
        """The matrix of the output layer, `vocab width`; the embedding's where they are tied."""
        raise NotImplementedError

    def see(self, name: str, value: Tensor) -> Tensor:
        """An inner value on its way: shown to the probe where there is one, which may replace it."""
        return value if self.probe is None else self.probe(name, value)

    def plan(self) -> Plan | None:
        """The model as plain arrays, for decoding without torch; None where only torch runs it.

        A model that has one also says what of a state is a row's, and makes a state of rows: `rows_of`, `state_of`.
        """
        return None

    def rows_of(self, state: State) -> list[Row]:
        """A state as its rows, for the decoders that run a plan."""
        raise NotImplementedError

    def state_of(self, rows: list[Row]) -> State:
        """The state of rows that have read equally many tokens."""
        raise NotImplementedError

    def forward_flops(self, time: int) -> float:
        """Floating-point operations of all matrix products of a forward pass, a token, in new rows of `time` tokens.

        A product of m and n entries is 2 m n operations; look-ups are none. A step of training takes three times that.
        """
        weights = sum(self.get_parameter(name).numel() for name in self.gate_counts())
        return 2.0 * (weights + self.output_weight.numel())

    def shards(self) -> list[nn.Module]:
        """The parts whose weights are gathered one after another where each worker holds a share of every weight.

        Each must be run by its own call, so that its weights can be there before it and gone after it. Empty where the
        architecture cannot be run so.
        """
        return []

    def gate_counts(self) -> dict[str, int]:
        """For each hidden weight matrix, by parameter name: how many gates are stacked along its first axis.

        Embedding, output and vectors are left out. Muon orthogonalises each gate's matrix by itself.
        """
        raise NotImplementedError


def detach(state: State) -> State:
    """The state as a constant: where truncated backpropagation through time cuts."""
    return tuple(part.detach() for part in state)


def take_rows(state: State, rows: Tensor) -> State:
    """The state of the chosen rows, in that order; a row may be taken several times."""
    return tuple(part.index_select(0, rows) for part in state)
