"""What one token of a text owes to those before it, in the very window that it was written from.

A long text is not read anew from some place on, for that would be another window than the writer's:

    what was read            from where the model itself began anew (`LanguageModel.window_start`: a transformer whose
                             table of positions ends), else from the beginning
    what is asked            the last `back` tokens of it; the state of those before them is carried, but not asked

So `nats` is what `glassloom.generation.decode` said of the token, wherever it stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glassloom.errors import InputError
from glassloom.generation.rows import PIECE
from glassloom.models.contract import LanguageModel, State
from glassloom.models.inside import recording
from glassloom.views.attention import Head, heads_of
from glassloom.views.attribution import owed
from glassloom.views.labelled import Floats
from glassloom.views.subject import as_tokens, looking


@dataclass(frozen=True)
class Debts:
    """Of the last of some inputs: `shares` of the gradient and `weights` of each head, for the inputs from `first` on.

    The weights are those of the place before, from which the token was predicted; no heads without attention.
    """

    first: int
    shares: Floats
    """`source`: 0 to 1, of their sum"""
    heads: tuple[Head, ...]
    weights: Floats
    """`heads source`"""
    nats: float


def debts(model: LanguageModel, inputs: Sequence[int], *, back: int = 256) -> Debts:
    """What the last of the inputs owes; `inputs` is everything that the model has read, itself included.

    >>> debts(model, tokenizer.encode("To be").tolist()).shares.round(2)  # doctest: +SKIP
    array([0.08, 0.13, 0.21, 0.58])

    Raises:
        InputError: nothing stands before it.
    """
    last = len(inputs) - 1
    if last < 1:
        raise InputError("Nothing stands before this token", "a token after another one", "choose a later token")
    begins = model.window_start(last - 1)
    first = max(begins, last - back)
    state = state_after(model, inputs[begins:first])
    part = inputs[first:]
    norms, _, nats = owed(model, part, (len(part) - 1,), state)
    sources = norms[0, :-1]
    with looking(model), recording(model) as values:
        model.hidden(as_tokens(model, [part[:-1]]), state)
    heads, weights = heads_of(values)
    rows = np.zeros((len(heads), len(sources)))
    if heads:
        seen = weights[:, -1, -len(sources) :]  # keys out of reach have no column
        rows[:, len(sources) - seen.shape[1] :] = seen
    total = sources.sum()
    return Debts(first, sources / total if total > 0 else sources, heads, rows, float(nats[0]))


def state_after(model: LanguageModel, tokens: Sequence[int]) -> State | None:
    """The state after some tokens, without gradients; None after none."""
    state: State | None = None
    with looking(model, gradients=True), torch.no_grad():  # a state of inference mode could not be asked about
        for begin in range(0, len(tokens), PIECE):
            _, state = model.hidden(as_tokens(model, [tokens[begin : begin + PIECE]]), state)
    return state
