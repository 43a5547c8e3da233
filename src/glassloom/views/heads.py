"""What heads do: scores over a text, each beside what a head that looks everywhere alike would score.

For a query at place i, the score is its attention to these keys j, averaged over the queries that have any:

    previous token       j = i - 1
    same token before    j < i with the same token
    start                j = 0, for i > 0
    delimiter            j < i with a token of punctuation alone, or a line end
    induction            j < i whose token before is the query's token (Olsson et al. 2022)
    itself               j = i

A uniform head gives each visible key 1 / (i + 1). A head is named after the kind whose excess over it,
(score - uniform) / (1 - uniform), is largest, if that is at least SOME; heads are sorted by kind, then by excess.
Within words and at spaces are judged by the query's token: letters, marks and digits alone (blanks around them aside),
or white space alone.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glassloom.data.tokenizers import Tokenizer
from glassloom.exhibits import Column, Exhibit, Table
from glassloom.views.attention import Attention, Floats, Head

KINDS = ("previous token", "same token before", "start", "delimiter", "induction", "itself")
PLACES = ("everywhere", "within words", "at spaces")
SOME = 0.1
"""From this excess on a head is named after what it does."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Mean attention to one kind of key, and a uniform head's; None where no query has such a key."""

    score: float | None
    uniform: float | None
    queries: int

    @property
    def excess(self) -> float:
        """How much more than uniform: 1 is all of the attention, 0 is uniform, below 0 is less."""
        if self.score is None or self.uniform is None or self.uniform >= 1:
            return 0.0
        return (self.score - self.uniform) / (1 - self.uniform)


@dataclass(frozen=True)
class HeadScores:
    """What one head does: scores by place and kind, its mean entropy in nats and a uniform head's."""

    head: Head
    scores: dict[str, dict[str, Score]]
    entropy_nats: float
    uniform_nats: float

    @property
    def kind(self) -> str:
        """The kind it stands out by; `mixed` where it does by none."""
        found = self.scores["everywhere"]
        best = max(found, key=lambda kind: found[kind].excess)
        return best if found[best].excess >= SOME else "mixed"

    @property
    def excess(self) -> float:
        """Its excess in that kind; the largest one of a mixed head."""
        return max(score.excess for score in self.scores["everywhere"].values())


def score_heads(texts: Sequence[Attention], tokenizer: Tokenizer) -> list[HeadScores]:
    """Every head's scores over one or more texts, sorted by what they do, the clearest first."""
    sets = [key_sets(text, tokenizer) for text in texts]
    places = [query_places(text, tokenizer) for text in texts]
    found = []
    for number, head in enumerate(texts[0].heads):
        weights = [text.weights[number] for text in texts]
        scores = {
            place: {kind: mean_score(weights, [keys[kind] for keys in sets], [each[place] for each in places])
                    for kind in KINDS}
            for place in PLACES
        }  # fmt: skip
        entropies = np.concatenate([entropy(each) for each in weights])
        uniform = np.concatenate([np.log(np.arange(1, len(each) + 1)) for each in weights])
        found.append(HeadScores(head, scores, float(entropies.mean()), float(uniform.mean())))
    order = {kind: place for place, kind in enumerate((*KINDS, "mixed"))}
    return sorted(found, key=lambda each: (order[each.kind], -each.excess))


def entropy(weights: Floats) -> Floats:
    """The entropy of each query's attention, in nats."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    found: Floats = -(weights * logs).sum(1)
    return found


def mean_score(weights: Sequence[Floats], keys: Sequence[Flags], queries: Sequence[Flags]) -> Score:
    """The mean over the chosen queries that have such a key, in all texts together."""
    scores, uniforms = [], []
    for each, wanted, chosen in zip(weights, keys, queries, strict=True):
        rows = chosen & wanted.any(1)
        scores.append((each * wanted).sum(1)[rows])
        uniforms.append((wanted.sum(1) / np.arange(1, len(each) + 1))[rows])
    count = sum(map(len, scores))
    if not count:
        return Score(None, None, 0)
    return Score(float(np.concatenate(scores).mean()), float(np.concatenate(uniforms).mean()), count)


def key_sets(text: Attention, tokenizer: Tokenizer) -> dict[str, Flags]:
    """For each kind, which keys (columns) belong to it for each query (rows)."""
    ids = np.array(text.ids)
    count = len(ids)
    earlier = np.tri(count, k=-1, dtype=bool)
    same = ids[:, None] == ids[None, :]
    follows = np.zeros((count, count), dtype=bool)
    follows[:, 1:] = same[:, :-1]
    delimiters = np.array([is_delimiter(token) for token in token_texts(text.ids, tokenizer)])
    return {
        "previous token": np.eye(count, k=-1, dtype=bool),
        "same token before": same & earlier,
        "start": earlier & (np.arange(count) == 0),
        "delimiter": earlier & delimiters,
        "induction": follows & earlier,
        "itself": np.eye(count, dtype=bool),
    }


def query_places(text: Attention, tokenizer: Tokenizer) -> dict[str, Flags]:
    """Which queries stand within words, at spaces, or anywhere."""
    tokens = token_texts(text.ids, tokenizer)
    words = np.array([is_word(token) for token in tokens])
    spaces = np.array([token.isspace() and "\n" not in token for token in tokens])
    return {"everywhere": np.ones(len(tokens), dtype=bool), "within words": words, "at spaces": spaces}


def token_texts(ids: Sequence[int], tokenizer: Tokenizer) -> list[str]:
    """What each token spells by itself; nothing for a special one."""
    known = {index: tokenizer.decode([index]) for index in set(ids)}
    return [known[index] for index in ids]


def is_delimiter(token: str) -> bool:
    """Whether a token is punctuation alone, or a line end."""
    shown = token.strip()
    punctuation = bool(shown) and all(unicodedata.category(sign).startswith("P") for sign in shown)
    return punctuation or "\n" in token


def is_word(token: str) -> bool:
    """Whether a token is letters, marks and digits alone, blanks around them aside."""
    shown = token.strip()
    return bool(shown) and all(unicodedata.category(sign)[0] in "LMN" for sign in shown)


def heads_exhibits(found: Sequence[HeadScores], tokens: int) -> list[Exhibit]:
    """The table of heads, sorted by what they do, and one more for within words and at spaces."""
    sublayers = 1 + max(each.head.sublayer for each in found)
    columns = [Column("head", numeric=False), Column("does", numeric=False), Column("excess", ".2f")]
    columns += [Column(kind, ".3f") for kind in KINDS] + [Column("entropy, nats", ".2f")]
    rows = [
        (each.head.title(sublayers), each.kind, each.excess,
         *(each.scores["everywhere"][kind].score for kind in KINDS), each.entropy_nats)
        for each in found
    ]  # fmt: skip
    everywhere = found[0].scores["everywhere"]
    uniform = ("a uniform head", "", 0.0, *(everywhere[kind].uniform for kind in KINDS), found[0].uniform_nats)
    caption = (
        f"Mean attention over {tokens:,} tokens to: the token before; the same token earlier; the first token; earlier "
        "punctuation and line ends; what followed the same token earlier (induction); the token itself. Excess is "
        f"(score - uniform) / (1 - uniform); a head without an excess of {SOME} in any kind is mixed. "
        "Layers and heads count from 0, as in the names of inner values."
    )
    apart = [Column("head", numeric=False)]
    apart += [Column(f"{kind}, {place}", ".3f") for kind in KINDS for place in PLACES[1:]]
    apart_rows = [
        (each.head.title(sublayers), *(each.scores[place][kind].score for kind in KINDS for place in PLACES[1:]))
        for each in found
    ]
    return [
        Table(name="heads", title="Heads sorted by what they do", caption=caption, columns=tuple(columns),
              rows=(*rows, uniform)),
        Table(name="heads-apart", title="The same within words and at spaces",
              caption="The query is a letter or digit (or a word), or a blank.", columns=tuple(apart),
              rows=tuple(apart_rows)),
    ]  # fmt: skip
