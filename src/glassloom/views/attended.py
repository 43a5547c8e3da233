"""The view `attention`: every head's matrix over a text, and what each head does, sorted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassloom.exhibits import Exhibit
from glassloom.views.attention import Attention, attention, attention_exhibits
from glassloom.views.heads import KINDS, PLACES, HeadScores, heads_exhibits, score_heads
from glassloom.views.labelled import Labelled, View
from glassloom.views.subject import ONE_PASS, Source, subject


@dataclass(frozen=True)
class Attended(View):
    """The matrices in the model's order, and the scores of the same heads sorted by what they do."""

    view = "attention"
    name: str
    attention: Attention
    heads: tuple[HeadScores, ...]

    def facts(self) -> dict[str, Any]:
        kinds = {each.head.title(self.attention.sublayers): each.kind for each in self.heads}
        return {"model": self.name, "tokens": len(self.attention.ids), "read": ONE_PASS, "heads by what they do": kinds}

    def arrays(self) -> Sequence[Labelled]:
        """Scores and entropies are in the order of the matrices."""
        sublayers, tokens = self.attention.sublayers, self.attention.labels
        by_head = {each.head: each for each in self.heads}
        scores = [by_head[head] for head in self.attention.heads]
        names = {"head": tuple(head.title(sublayers) for head in self.attention.heads)}

        def table(what: str) -> np.ndarray:
            values = [[[getattr(each.scores[place][kind], what) for kind in KINDS] for place in PLACES]
                      for each in scores]  # fmt: skip
            return np.array(values, dtype=np.float64)

        kinds = {**names, "place": PLACES, "kind": KINDS}
        return [
            Labelled("weights", ("head", "query", "key"), self.attention.weights,
                     {**names, "query": tokens, "key": tokens}),
            Labelled("entropy", ("head",), np.array([each.entropy_nats for each in scores]), names, "nats"),
            Labelled("uniform entropy", ("head",), np.array([each.uniform_nats for each in scores]), names, "nats"),
            Labelled("score", ("head", "place", "kind"), table("score"), kinds),
            Labelled("uniform score", ("head", "place", "kind"), table("uniform"), kinds),
        ]  # fmt: skip

    def exhibits(self) -> list[Exhibit]:
        return [*heads_exhibits(self.heads, len(self.attention.ids)), *attention_exhibits(self.attention)]


def attended(source: Source, text: str | Sequence[int]) -> Attended:
    """Every layer and head over a text, rows the queries, columns the keys; and what the heads do.

    >>> found = attended(run, "Hello there,")  # doctest: +SKIP
    >>> found.heads[0].kind, found.heads[0].head.title(1)  # doctest: +SKIP
    ('previous token', 'layer 0 head 2')

    Raises:
        InputError: the text is empty, or the model has no attention.
    """
    of = subject(source)
    found = attention(of, text)
    return Attended(of.name, found, tuple(score_heads([found], of.tokenizer)))
