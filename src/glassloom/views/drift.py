"""A continuation beside the truth: where it drifts off, and how much agrees, place by place.

A place of drifting is always the number of characters that are right before the first wrong one: 0 where the very first
is wrong.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from glassloom.exhibits import Column, Exhibit, Table, Text, Texts


@dataclass(frozen=True)
class Drift:
    """`drifts_at` is how many characters are right before the first wrong one; None where all of the truth is said.

    `agreeing` is the share of the truth's characters that stand at the same place in the continuation, the drift aside.
    """

    drifts_at: int | None
    agreeing: float
    length: int

    @property
    def exact(self) -> int:
        """How many characters are right from the start."""
        return self.length if self.drifts_at is None else self.drifts_at


def drift(text: str, truth: str) -> Drift:
    """Compare a continuation with what really stands there; what goes on beyond the truth does not count.

    >>> drift("the cat sat", "the dog sat")
    Drift(drifts_at=4, agreeing=0.7272727272727273, length=11)
    """
    same = [one == other for one, other in zip(text, truth, strict=False)]
    first = same.index(False) if False in same else len(same)
    return Drift(None if first == len(truth) else first, sum(same) / len(truth) if truth else 1.0, len(truth))


@dataclass(frozen=True)
class Continuation:
    """What a model made of a prompt, and what really follows it."""

    prompt: str
    text: str
    truth: str


def drift_exhibits(found: Mapping[str, Sequence[Continuation]], shown: int = 4) -> list[Exhibit]:
    """By moment of training (a label each): how far continuations stay with the truth, and the first few to read."""
    columns = (
        Column("after", numeric=False), Column("continuations", ","), Column("wholly right", ","),
        Column("right before drifting off, median", ".1f"), Column("at the least", ","), Column("at the most", ","),
        Column("agrees, place by place", ".1%"),
    )  # fmt: skip
    rows, texts = [], []
    for label, continuations in found.items():
        drifts = [drift(each.text, each.truth) for each in continuations]
        exact = sorted(each.exact for each in drifts)
        middle = statistics.median(exact)
        length = sum(each.length for each in drifts)
        agreeing = sum(each.agreeing * each.length for each in drifts) / length if length else 1.0
        whole = sum(each.drifts_at is None for each in drifts)
        rows.append((label, len(drifts), whole, middle, exact[0], exact[-1], agreeing))
        for number, (each, measured) in enumerate(zip(continuations[:shown], drifts, strict=False), start=1):
            texts.append(beside(f"{label}, {number}", each, measured))
    prompts = sorted({len(each.prompt) for continuations in found.values() for each in continuations})
    given = f"{prompts[0]}" if len(prompts) == 1 else f"{prompts[0]} to {prompts[-1]}" if prompts else "no"
    return [
        Table(name="drift", title="How far the continuations stay with the truth",
              caption=f"{given} characters are given; the most probable continuation is compared with the text's own. "
              "Right before drifting off: how many characters are right before the first wrong one; of a continuation "
              "that is wholly right, all.", columns=columns, rows=tuple(rows)),
        Texts(name="continuations", title="Continuations beside the truth",
              caption="Marked from the first wrong character on.", texts=tuple(texts)),
    ]  # fmt: skip


def beside(label: str, each: Continuation, measured: Drift) -> Text:
    """One continuation with the truth, marked from where it drifts off."""
    at = measured.drifts_at
    if at is None:
        return Text(label=label, prompt=each.prompt, text=each.text, truth=each.truth, note="wholly right")
    remark = (
        f"{at} of {measured.length} characters are right before the first wrong one; "
        f"{measured.agreeing:.0%} agree place by place"
    )
    spans = ((at, len(each.text)),) if at < len(each.text) else ()
    return Text(label=label, prompt=each.prompt, text=each.text, truth=each.truth, note=remark, marked=spans)
