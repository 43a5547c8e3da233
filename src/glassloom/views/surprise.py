"""Surprise: what each token of a text costs a model in bits, and what it would have said instead.

    surprise_t = -log2 p(x_t | x_<t)            entropy_t = sum over v of p(v | x_<t) (-log2 p(v | x_<t))

The entropy is the surprise that the model itself expected. The protocol is `fair` (see `subject.hidden_over`), so the
mean is what `evaluate` says of the same text; a text that does not begin at `.start` gives its first token away.
Baselines are those of `glassloom.data.baselines`, on the same tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glassloom.data.baselines import baseline_nats
from glassloom.exhibits import Axis, Coloured, Column, Exhibit, Lines, Piece, Series, Table
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import Source, characters, hidden_over, how_read, looking, reading, subject

AT_ONCE = 2**22
"""So many logits are held at once."""
WORST = 20
"""So many of the most surprising tokens are listed."""
TOGETHER = " Tokens that spell one character together have the colour of their sum."


@dataclass(frozen=True)
class Surprise(View):
    """The surprise of each token of a text; NaN for a first one that nothing stands before."""

    view = "surprise"
    name: str
    labels: tuple[str, ...]
    pieces: tuple[str, ...]
    bits: Floats
    """`token`"""
    entropy: Floats
    """`token`, in bits"""
    rank: NDArray[np.int64]
    """`token`: how many ids were more probable; -1 for a first token that nothing stands before."""
    alternatives: tuple[tuple[str, ...], ...]
    """The labels of the most probable ids at each token, the most probable first."""
    probabilities: Floats
    """`token rank`: theirs"""
    baselines: dict[str, Floats]
    """`token`: the bits of each simple method, the weakest first."""
    read: str = "in one pass"
    """How: see `subject.windows`."""

    @property
    def mean_bits(self) -> float:
        """The mean over all tokens that were predicted."""
        return float(np.nanmean(self.bits))

    def running(self) -> dict[str, Floats]:
        """The mean over all tokens so far, of the model and of each baseline."""
        counted = ~np.isnan(self.bits)
        counts = np.maximum(counted.cumsum(), 1)

        def mean(bits: Floats) -> Floats:
            sums = np.where(counted, bits, 0.0).cumsum() / counts
            found: Floats = np.where(counted.cumsum() > 0, sums, np.nan)
            return found

        return {name: mean(bits) for name, bits in {self.name: self.bits, **self.baselines}.items()}

    def facts(self) -> dict[str, Any]:
        known = ~np.isnan(self.bits)
        means = {name: float(bits[known].mean()) for name, bits in self.baselines.items()}
        return {
            "model": self.name,
            "tokens": int(known.sum()),
            "read": self.read,
            "mean_bits": self.mean_bits,
            "baseline_bits": means,
        }

    def arrays(self) -> Sequence[Labelled]:
        tokens = {"token": self.labels}
        running = self.running()
        return [
            Labelled("bits", ("token",), self.bits, tokens, "bits"),
            Labelled("entropy", ("token",), self.entropy, tokens, "bits"),
            Labelled("rank", ("token",), self.rank, tokens),
            Labelled("alternatives", ("token", "rank"), np.array(self.alternatives, dtype=object), tokens),
            Labelled("probabilities", ("token", "rank"), self.probabilities, tokens),
            Labelled("running mean", ("method", "token"), np.stack(list(running.values())),
                     {"method": tuple(running), **tokens}, "bits"),
        ]  # fmt: skip

    def exhibits(self) -> list[Exhibit]:
        return surprise_exhibits(self)


def surprise(source: Source, text: str | Sequence[int], *, top: int = 5) -> Surprise:
    """The surprise of each token, with the `top` most probable ids at its place.

    >>> found = surprise(run, "To be, or not to be")  # doctest: +SKIP
    >>> found.mean_bits, found.alternatives[3]  # doctest: +SKIP

    Raises:
        InputError: the text has nothing to predict.
    """
    of = subject(source)
    read = reading(of.tokenizer, text, at_least=1 if ".start" in of.tokenizer.specials else 2)
    skip, count = read.unpredicted, len(read.ids)
    top = max(1, min(top, of.model.vocabulary))
    bits, entropy, shares = np.full(count, np.nan), np.full(count, np.nan), np.full((count, top), np.nan)
    rank, best = np.full(count, -1, dtype=np.int64), np.zeros((count, top), dtype=np.int64)
    with looking(of.model):
        hidden = hidden_over(of.model, read.inputs[:-1], whole=bool(read.given))
        targets = torch.tensor(read.ids[skip:], device=hidden.device)
        piece = max(1, AT_ONCE // of.model.vocabulary)
        for begin in range(0, len(targets), piece):
            logs = of.model.logits(hidden[None, begin : begin + piece])[0].double().log_softmax(-1)
            own = logs.gather(1, targets[begin : begin + piece, None])
            place = slice(skip + begin, skip + begin + len(logs))
            bits[place] = (-own[:, 0] / np.log(2)).cpu().numpy()
            entropy[place] = (-(logs.exp() * logs).nan_to_num().sum(1) / np.log(2)).cpu().numpy()
            rank[place] = (logs > own).sum(1).cpu().numpy()
            found = logs.topk(top)
            shares[place], best[place] = found.values.exp().cpu().numpy(), found.indices.cpu().numpy()
    known = {"uniform": np.full(count, np.log2(of.model.vocabulary))}
    if of.corpus is not None:
        nats = baseline_nats(of.corpus, np.array(read.ids), begins=bool(read.given))
        known = {name: each / np.log(2) for name, each in nats.items()}
    for each in known.values():
        each[:skip] = np.nan
    names = of.tokenizer.labels()
    alternatives = [tuple(names[index] for index in row) for row in best]
    alternatives[:skip] = [("",) * top] * skip
    return Surprise(
        of.name or "model", read.labels, read.pieces, bits, entropy, rank, tuple(alternatives), shares, known,
        how_read(of.model, read.inputs[:-1], bool(read.given)),
    )  # fmt: skip


def said(found: Surprise, place: int) -> str:
    """What is said of one token: its bits, and what the model held most probable there.

    Nothing of a first token that was given.
    """
    if np.isnan(found.bits[place]):
        return "given, not predicted"
    instead = ", ".join(
        f"{label} {share:.1%}"
        for label, share in zip(found.alternatives[place], found.probabilities[place], strict=True)
    )
    return f"{found.labels[place]}: {found.bits[place]:.2f} bits (expected {found.entropy[place]:.2f}); {instead}"


def cost(bits: Floats) -> float | None:
    """The bits of tokens that are shown together; None where none of them was predicted.

    >>> cost(np.array([np.nan, 1.5, 0.25])), cost(np.array([np.nan]))
    (1.75, None)
    """
    return None if np.isnan(bits).all() else float(np.nansum(bits))


def surprise_exhibits(found: Surprise) -> list[Exhibit]:
    """The text in colours, the running mean beside the baselines, and the most surprising tokens."""
    uniform = float(np.nanmax(found.baselines["uniform"]))
    pieces = tuple(
        Piece(text=text, value=cost(found.bits[places]), note="; then ".join(said(found, place) for place in places))
        for places, text in characters(found.pieces, found.labels)
    )
    places = range(1, len(found.bits) + 1)
    series = tuple(
        Series(name=name, x=tuple(places), y=tuple(None if np.isnan(each) else float(each) for each in means),
               dashed=name != found.name)
        for name, means in found.running().items()
    )  # fmt: skip
    order = [int(place) for place in np.argsort(-np.nan_to_num(found.bits, nan=-1.0), kind="stable")]
    worst = [place for place in order if not np.isnan(found.bits[place])][:WORST]
    rows = tuple(
        (place + 1, found.labels[place], "".join(found.pieces[max(0, place - 20) : place]), float(found.bits[place]),
         float(found.entropy[place]), int(found.rank[place]) + 1, found.alternatives[place][0],
         float(found.probabilities[place][0]))
        for place in worst
    )  # fmt: skip
    columns = (
        Column("place", ","), Column("token", numeric=False), Column("after", numeric=False), Column("bits", ".2f"),
        Column("expected bits", ".2f"), Column("rank", ","), Column("most probable", numeric=False),
        Column("its probability", ".1%"),
    )  # fmt: skip
    return [
        Coloured(name="surprise-text", title=f"Surprise of {found.name}", unit="bits", high=uniform,
                 caption=f"Each token by what it costs in bits given all before it; the scale "
                 f"ends at {uniform:.2f}, a uniform guess. Mean: {found.mean_bits:.3f} bits a token."
                 f"{TOGETHER if '' in found.pieces else ''}",
                 texts={found.name: pieces}),
        Lines(name="surprise-mean", title="Mean surprise so far", x=Axis("token, from 1"), y=Axis("bits a token"),
              caption="The mean over all tokens up to here, of the model (solid) and of simple methods, counted on the "
              "training text (dashed).", series=series),
        Table(name="surprise-worst", title="The most surprising tokens", columns=columns, rows=rows,
              caption="Rank: how many ids the model held at least as probable, itself included."),
    ]  # fmt: skip
