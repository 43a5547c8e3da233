"""The view `attribution`: what each token of a text owes to every token before it, by the gradient of its probability.

    norm      n(t, j) = || d log p(x_t | x_<t) / d e_j ||       how far the prediction moves with token j's vector
    product   s(t, j) = < d log p(x_t | x_<t) / d e_j , e_j >   the same along the vector itself: above 0 it helped

e_j is the vector of the token at place j that enters the first layer (`embedding` in the glossary), so every
architecture is asked alike, through a recurrent state or through attention. Of logits, not of probabilities after
temperature. Norms: Simonyan et al. (2014), for text Li et al. (2016); products: Denil et al. (2014), Shrikumar et al.
(2016). A gradient says what a small change would do, not what the model would do without the token: see `memory`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from glassloom.errors import InputError, SettingError
from glassloom.exhibits import Axis, Coloured, Exhibit, Lines, Matrices, Matrix, Piece, Series
from glassloom.models.contract import LanguageModel, State, take_rows
from glassloom.models.inside import probing
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import ONE_PASS, Source, as_tokens, looking, reading, subject

MOST_TOKENS = 512
"""Each token asks for a backward pass through all before it, so twice the tokens take four times as long."""
AT_ONCE = 32
"""So many tokens' passes are one batch."""


@dataclass(frozen=True)
class Attribution(View):
    """Row by row one predicted token, column by column what was read; NaN where a column comes after its row."""

    view = "attribution"
    name: str
    inputs: tuple[str, ...]
    """The labels of what is read, `.start` first where the tokenizer has it."""
    places: tuple[int, ...]
    """Of the predicted tokens, counted among the inputs from 0: row r is about `inputs[places[r]]`."""
    norms: Floats
    """`target source`"""
    products: Floats
    """`target source`"""
    nats: Floats
    """`target`: what the token costs"""

    @property
    def shares(self) -> Floats:
        """The norms of each row as shares of their sum: 0 to 1."""
        sums = np.nansum(self.norms, axis=1, keepdims=True)
        return np.divide(self.norms, sums, out=np.zeros_like(self.norms), where=sums > 0) + 0 * self.norms

    def facts(self) -> dict[str, Any]:
        return {"model": self.name, "tokens": len(self.places), "read": ONE_PASS, "mean reach": self.reach()}

    def reach(self) -> float:
        """How many tokens back the mean of the shares lies, over all rows: 1 is the token just before."""
        back = np.array(self.places)[:, None] - np.arange(len(self.inputs))[None]
        return float(np.nanmean(np.nansum(self.shares * back, axis=1)))

    def arrays(self) -> Sequence[Labelled]:
        targets = tuple(self.inputs[place] for place in self.places)
        labels = {"target": targets, "source": self.inputs}
        axes = ("target", "source")
        return [
            Labelled("norm", axes, self.norms, labels),
            Labelled("share", axes, self.shares, labels),
            Labelled("product", axes, self.products, labels, "nats"),
            Labelled("nats", ("target",), self.nats, {"target": targets}, "nats"),
        ]

    def exhibits(self) -> list[Exhibit]:
        return attribution_exhibits(self)


def attribution(source: Source, text: str | Sequence[int], *, at: int | None = None) -> Attribution:
    """What each token owes to the inputs before it; `at` asks of one token only (counted among the inputs from 1).

    >>> found = attribution(run, "To be, or not to be")  # doctest: +SKIP
    >>> found.shares[-1]  # of the last token: a share for every one before it  # doctest: +SKIP

    Raises:
        InputError: the text has nothing to predict. SettingError: it has no such token.
    """
    of = subject(source)
    read = reading(of.tokenizer, text, at_least=1 if ".start" in of.tokenizer.specials else 2)
    last = len(read.inputs)
    if at is not None and not 2 <= at <= last:
        raise SettingError(f"The text has no token {at} that is predicted", f"2 to {last}", "choose another --at")
    if at is None and last > MOST_TOKENS:
        raise InputError(
            f"The text has {last:,} tokens, each of which asks for a pass back through all before it",
            f"at most {MOST_TOKENS} tokens, or --at for one of them",
            "give a shorter text, or --at",
        )
    places = tuple(range(1, last)) if at is None else (at - 1,)
    norms, products, nats = owed(of.model, read.inputs, places)
    return Attribution(of.name or "model", read.input_labels, places, norms, products, nats)


def owed(
    model: LanguageModel, inputs: Sequence[int], places: Sequence[int], state: State | None = None
) -> tuple[Floats, Floats, Floats]:
    """Norms and products, `target source`, and the nats of each target; `state`: what was read before the inputs.

    Every target has a row of a batch to itself, so one pass back serves `AT_ONCE` of them.
    """
    shape = (len(places), len(inputs))
    norms, products, nats = np.full(shape, np.nan), np.full(shape, np.nan), np.full(len(places), np.nan)
    with looking(model, gradients=True):
        for first in range(0, len(places), AT_ONCE):
            some = list(places[first : first + AT_ONCE])
            for row, found in enumerate(owed_by_rows(model, inputs, some, state), start=first):
                place = places[row]
                norms[row, :place], products[row, :place], nats[row] = found[0][:place], found[1][:place], found[2]
    return norms, products, nats


def owed_by_rows(
    model: LanguageModel, inputs: Sequence[int], places: list[int], state: State | None
) -> list[tuple[Floats, Floats, float]]:
    """Of each target its norms, its products (`source`), and its nats."""
    pieces: list[tuple[int, Tensor]] = []
    seen = 0

    def watch(name: str, value: Tensor) -> Tensor:
        nonlocal seen
        if name != "embedding":
            return value
        value = value.detach().requires_grad_()
        pieces.append((seen - model.repeated, value))
        seen += value.shape[1] - model.repeated
        return value

    end, rows = max(places), len(places)
    tokens = as_tokens(model, [inputs[:end]]).expand(rows, -1)
    device = tokens.device
    begun = None if state is None else take_rows(state, torch.zeros(rows, dtype=torch.long, device=state[0].device))
    with probing(model, watch):
        hidden, _ = model.hidden(tokens, begun)
    own_rows, before = torch.arange(rows, device=device), torch.tensor(places, device=device) - 1
    targets = torch.tensor([inputs[place] for place in places], device=device)
    logs = model.logits(hidden[own_rows, before].unsqueeze(1))[:, 0].log_softmax(-1)[own_rows, targets]
    found = torch.autograd.grad(logs.sum(), [value for _, value in pieces], allow_unused=True)
    total = logs.new_zeros(rows, end, pieces[0][1].shape[-1], dtype=torch.float64)
    along = logs.new_zeros(rows, end, dtype=torch.float64)
    for (start, value), gradient in zip(pieces, found, strict=True):
        if gradient is not None:
            stretch = slice(start, start + value.shape[1])
            total[:, stretch] += gradient
            along[:, stretch] += (gradient.double() * value.detach().double()).sum(-1)
    norms, products = total.norm(dim=-1).cpu().numpy(), along.cpu().numpy()
    return list(zip(norms, products, (-logs.detach()).tolist(), strict=True))


def attribution_exhibits(found: Attribution) -> list[Exhibit]:
    """The matrix of shares, the text with the last token's shares behind it, and the mean share by distance."""
    numbered = tuple(f"{place} {label}" for place, label in enumerate(found.inputs, start=1))
    shares = found.shares
    values = tuple(tuple(None if np.isnan(each) else round(float(each), 4) for each in row) for row in shares)
    rows = tuple(numbered[place] for place in found.places)
    about = (
        f"Each row is one token of the text, each column what {found.name} had read before it: the norm of the "
        "gradient of the token's log-probability with respect to the earlier token's vector, as a share of its row. "
        "The text is read in one pass."
    )
    last = found.places[-1]
    pieces = tuple(
        Piece(text=label, value=None if np.isnan(share) else float(share), note=f"{label}: {share:.1%}")
        for label, share in zip(found.inputs[:last], shares[-1][:last], strict=True)
    )
    made: list[Exhibit] = [
        Matrices(name="attribution", title="What each token owes to the ones before it", caption=about,
                 row_axis="token", column_axis="owes to", unit="share of its row", high=float(np.nanmax(shares)) or 1.0,
                 matrices=(Matrix(title=f"shares of {found.name}", rows=rows, columns=numbered, values=values),)),
        Coloured(name="attribution-last", title=f"What the last token, {found.inputs[last]}, owes", unit="share",
                 high=max(float(np.nanmax(shares[-1])), 1e-9), texts={found.name: pieces}, caption="Its own row."),
    ]  # fmt: skip
    if len(found.places) > 1:
        back = np.array(found.places)[:, None] - np.arange(len(found.inputs))[None]
        distances = range(1, max(found.places) + 1)
        means = tuple(float(np.nanmean(shares[back == distance])) for distance in distances)
        made.append(
            Lines(name="attribution-distance", title="What is owed, by distance", x=Axis("distance, in tokens"),
                  y=Axis("mean share of the gradient's norm"),
                  series=(Series(name=found.name, x=tuple(distances), y=means),),
                  caption="The mean of the shares over all tokens that have one so far before them.")
        )  # fmt: skip
    return made
