"""Ablation: what a text costs when a part of the model is switched off, every part by itself, ranked.

    head          one attention head takes nothing (its `mixed`)            attention, feedforward    a whole sublayer
    layer         what a transformer's layer adds, or a recurrent layer's whole hidden vector
    gate          all of a layer's gate of one kind                         unit    one entry of a hidden vector, or
                                                                            inside a transformer's feed-forward

Off is `zero`, or `mean`: the part's mean over this text, which takes away what it says of the place and leaves the rest
of the model what it is used to. The default is the mean, for a gate at 0 is not off but closed. Several parts are tried
at once, a row each, through the values that `glassloom.models.inside` names. The protocol is `fair` (see
`subject.windows`), so that the model as it is costs what `surprise` and `evaluate` say of the same text.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from glassloom.errors import SettingError, nearest
from glassloom.exhibits import Axis, Bar, Bars, Column, Exhibit, Table
from glassloom.loss import token_nats
from glassloom.models.contract import LanguageModel
from glassloom.models.replacing import replacing
from glassloom.views.labelled import Floats, Labelled, View
from glassloom.views.subject import (
    Reading,
    Source,
    as_tokens,
    how_read,
    looking,
    reading,
    recorded_over,
    subject,
    windows,
)

KINDS = ("head", "attention", "feedforward", "layer", "gate", "unit")
WAYS = ("mean", "zero")
MOST_UNITS = 1024
"""Where a model has more units, they are tried only when they are asked for."""
OFF = re.compile(r"layers\.\d+\.(hidden|gate\.\w+|attention\.\d+(\.mixed)?|feedforward(\.inner)?)\Z")
"""Inner values that a part is made of."""
LOGITS_AT_ONCE = 2**23
ROWS = 64


@dataclass(frozen=True)
class Part:
    """What is switched off: inner values, whole or one entry of them (a head or a unit, from 0)."""

    kind: str
    values: tuple[str, ...]
    entry: int | None = None

    @property
    def name(self) -> str:
        """As a change of `steer` names it: `layers.0.hidden:3`."""
        return " + ".join(self.values) + ("" if self.entry is None else f":{self.entry}")

    @property
    def label(self) -> str:
        """The same, short enough for a figure: a whole layer by its own name."""
        return ".".join(self.values[0].split(".")[:2]) if self.kind == "layer" else self.name


@dataclass(frozen=True)
class Ablation(View):
    """The bits a token with each part off, the costliest part first; `plain` is the model as it is."""

    view = "ablate"
    name: str
    by: str
    tokens: int
    plain: float
    parts: tuple[Part, ...]
    bits: Floats
    """`part`"""
    left_out: dict[str, int]
    """Kinds that the model has but that were not tried, with how many parts they have: more than MOST_UNITS."""
    top: int
    read: str = "in one pass"
    """How: see `subject.windows`."""

    def facts(self) -> dict[str, Any]:
        return {
            "model": self.name,
            "off": self.by,
            "predicted tokens": self.tokens,
            "bits a token": self.plain,
            "costliest": self.parts[0].name,
            "not tried": self.left_out,
            "read": self.read,
        }

    def arrays(self) -> Sequence[Labelled]:
        parts = {"part": tuple(part.name for part in self.parts)}
        kinds = np.array([part.kind for part in self.parts], dtype=object)
        return [
            Labelled("bits", ("part",), self.bits, parts, "bits"),
            Labelled("rise", ("part",), self.bits - self.plain, parts, "bits"),
            Labelled("kind", ("part",), kinds, parts),
        ]

    def exhibits(self) -> list[Exhibit]:
        columns = (Column("rank", ","), Column("kind", numeric=False), Column("off", numeric=False),
                   Column("bits a token", ".4f"), Column("rise", "+.4f"))  # fmt: skip
        rows = tuple(
            (rank, part.kind, part.name, float(bits), float(bits - self.plain))
            for rank, (part, bits) in enumerate(zip(self.parts, self.bits, strict=True), start=1)
        )
        shown = list(zip(self.parts, self.bits, strict=True))[: self.top]
        bars = tuple(Bar(label=part.label, value=float(bits - self.plain), group=part.kind) for part, bits in shown)
        how = "its mean over the text" if self.by == "mean" else "zero"
        more = "".join(
            f" Its {count:,} parts of the kind {kind} were not tried, as they are more than {MOST_UNITS:,}: "
            f"--kind {kind} tries them."
            for kind, count in self.left_out.items()
        )
        caption = (
            f"Each part by itself replaced by {how}; {self.tokens:,} predicted tokens, read {self.read}, cost "
            f"{self.plain:.4f} bits each with all parts on. Layers, sublayers, heads and units count from 0, as in the "
            f"names of inner values.{more}"
        )
        return [
            Bars(name="ablation-bars", title="What the costliest parts are worth", value=Axis("rise, bits a token"),
                 bars=bars, caption=caption),
            Table(name="ablation-table", title="Every part switched off", columns=columns, rows=rows, caption=caption),
        ]  # fmt: skip


def ablate(
    source: Source, text: str | Sequence[int], *, kinds: Sequence[str] = (), by: str = "mean", top: int = 20
) -> Ablation:
    """What the text costs with each part of these kinds switched off (all, if none is named), the costliest first.

    >>> ablate(run, text, kinds=["head"], by="zero").parts[0].name  # doctest: +SKIP
    'layers.1.attention.0.mixed:2'

    Raises:
        SettingError: an unknown kind or way, or one that the model has no part of. InputError: the text is too short.
    """
    for kind in kinds:
        if kind not in KINDS:
            raise SettingError(f"There is no kind of part {kind}", ", ".join(KINDS), nearest(kind, KINDS))
    if by not in WAYS:
        raise SettingError(f"A part cannot be switched off by {by}", ", ".join(WAYS), nearest(by, WAYS))
    of = subject(source)
    read = reading(of.tokenizer, text, at_least=2)
    whole = bool(read.given)
    with looking(of.model):
        values = recorded_over(of.model, read.inputs, lambda name: bool(OFF.match(name)), whole)
    every = parts_of(values)
    there = list(dict.fromkeys(part.kind for part in every))
    counts = {kind: sum(part.kind == kind for part in every) for kind in there}
    many = {kind: count for kind, count in counts.items() if not kinds and count > MOST_UNITS}
    chosen = [part for part in every if (part.kind in kinds if kinds else part.kind not in many)]
    if not chosen:
        raise SettingError(
            f"A {of.model.settings.architecture} has no {' and no '.join(kinds)} to switch off",
            ", ".join(there),
            "choose one of these",
        )
    longest = min(len(read.inputs), (None if whole else of.model.context) or len(read.inputs))
    with looking(of.model):
        [plain] = bits_with(of.model, read, values, [], by)
        step = max(1, min(ROWS, LOGITS_AT_ONCE // (of.model.vocabulary * longest)))
        bits = [
            each
            for first in range(0, len(chosen), step)
            for each in bits_with(of.model, read, values, chosen[first : first + step], by)
        ]
    order = np.argsort(-np.array(bits), kind="stable")
    parts = tuple(chosen[place] for place in order)
    return Ablation(
        of.name, by, len(read.inputs) - 1, plain, parts, np.array(bits)[order], many, max(1, top),
        how_read(of.model, read.inputs[:-1], whole),
    )  # fmt: skip


def parts_of(values: dict[str, Tensor]) -> list[Part]:
    """Everything of a model that can be switched off, from the inner values that it showed."""
    found = []
    layers = list(dict.fromkeys(name.split(".")[1] for name in values if name.startswith("layers.")))
    for layer in layers:
        here = [name for name in values if name.startswith(f"layers.{layer}.")]
        attention = [name for name in here if re.fullmatch(r"layers\.\d+\.attention\.\d+", name)]
        for name in attention:
            mixed = f"{name}.mixed"
            found += [Part("head", (mixed,), head) for head in range(values[mixed].shape[1])]
        found += [Part("attention", (name,)) for name in attention]
        if f"layers.{layer}.feedforward" in values:
            forward = f"layers.{layer}.feedforward"
            found += [Part("feedforward", (forward,)), Part("layer", (*attention, forward))]
            inner = f"{forward}.inner"
            found += [Part("unit", (inner,), unit) for unit in range(values[inner].shape[-1])]
        else:
            hidden = f"layers.{layer}.hidden"
            found.append(Part("layer", (hidden,)))
            found += [Part("gate", (name,)) for name in here if ".gate." in name]
            found += [Part("unit", (hidden,), unit) for unit in range(values[hidden].shape[-1])]
    return sorted(found, key=lambda part: KINDS.index(part.kind))


Switch: TypeAlias = Callable[[Tensor, int], Tensor]


def switched_off(values: dict[str, Tensor], parts: Sequence[Part], by: str) -> dict[str, Switch]:
    """For each inner value concerned, the change that switches off one part a row."""
    rows: dict[str, list[tuple[int, int | None]]] = {}
    for row, part in enumerate(parts):
        for name in part.values:
            rows.setdefault(name, []).append((row, part.entry))
    return {name: switch(values[name], which, by) for name, which in rows.items()}


def switch(seen: Tensor, which: Sequence[tuple[int, int | None]], by: str) -> Switch:
    """The change of one inner value: of each row given, the whole of it or one entry."""
    heads = seen.ndim == 4  # batch heads time head; all others are batch time width
    mean = seen[0].mean(-2) if by == "mean" else torch.zeros_like(seen[0].mean(-2))
    whole = torch.tensor([row for row, entry in which if entry is None], dtype=torch.long, device=seen.device)
    single = [(row, entry) for row, entry in which if entry is not None]
    at = torch.tensor([row for row, _ in single], dtype=torch.long, device=seen.device)
    entries = torch.tensor([entry for _, entry in single], dtype=torch.long, device=seen.device)

    def change(value: Tensor, begin: int) -> Tensor:
        found = value.clone()
        if len(whole):
            found[whole] = (mean.unsqueeze(-2) if heads else mean).to(value).expand(value.shape[1:])
        if len(at) and heads:
            found[at, entries] = mean[entries].to(value)[:, None].expand(-1, value.shape[2], -1)
        elif len(at):
            found[at, :, entries] = mean[entries].to(value)[:, None].expand(-1, value.shape[1])
        return found

    return change


def bits_with(
    model: LanguageModel, read: Reading, values: dict[str, Tensor], parts: Sequence[Part], by: str
) -> list[float]:
    """The mean bits of all inputs but the first with each part off; with none, of the model as it is."""
    rows = max(1, len(parts))
    total, done = torch.zeros(rows, dtype=torch.float64), 0
    with replacing(model, switched_off(values, parts, by)):
        for part, count in windows(model, read.inputs[:-1], whole=bool(read.given)):
            logits, _ = model(as_tokens(model, [part]).expand(rows, -1))
            following = as_tokens(model, [read.inputs[done + 1 : done + 1 + count]]).expand(rows, -1)
            total += token_nats(logits[:, -count:].double(), following).sum(1).cpu()
            done += count
    found: list[float] = (total / done / np.log(2)).tolist()
    return found
