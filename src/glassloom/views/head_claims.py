"""What reports say of heads, scored: looking ahead, differing between words and spaces, looking back at a delimiter."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassloom.data.tokenizers import Tokenizer
from glassloom.exhibits import Column, Exhibit, Table
from glassloom.views.attention import Attention, Floats
from glassloom.views.heads import Flags, query_places

NEAR = 16
"""Attention by distance is told apart up to so many tokens back; what is further is one class."""
SHUFFLES = 50
AFTER = 8
"""A delimiter is looked back at by so many queries after it."""


@dataclass(frozen=True)
class Claim:
    """A statement, what was measured of it with its number, and whether it holds (None: nothing to measure it on)."""

    statement: str
    measured: str
    value: float | None
    holds: bool | None


def claims(texts: Sequence[Attention], tokenizer: Tokenizer, delimiter: str = "!") -> list[Claim]:
    """The claims of REFERENCE D, over one or more texts."""
    return [looks_ahead(texts), differs_at_spaces(texts, tokenizer), looks_back(texts, tokenizer, delimiter)]


def looks_ahead(texts: Sequence[Attention]) -> Claim:
    """Whether any query attends to what comes after it."""
    most = max(float(np.triu(text.weights, 1).max()) for text in texts)
    return Claim(
        "Letters attend to their next token.",
        f"The largest weight of any head on a key after its query is {most:.3g}: the causal mask hides what comes "
        "next. Read with rows as queries and columns as keys, a stripe beside the diagonal is the previous token.",
        most,
        most > 0,
    )


def profile(weights: Floats) -> Floats:
    """Each query's attention by distance: 0 to NEAR tokens back, then all that is further; rows sum to 1."""
    found = np.zeros((len(weights), NEAR + 2))
    for query, row in enumerate(weights):
        back = row[query::-1]
        found[query, : min(len(back), NEAR + 1)] = back[: NEAR + 1]
        found[query, NEAR + 1] = back[NEAR + 1 :].sum()
    return found


def distance(profiles: Floats, one: Flags, other: Flags) -> float:
    """The total variation distance between two groups' mean profiles: 0 the same, 1 nothing in common."""
    return float(0.5 * np.abs(profiles[one].mean(0) - profiles[other].mean(0)).sum())


def differs_at_spaces(texts: Sequence[Attention], tokenizer: Tokenizer, seed: int = 0) -> Claim:
    """Whether heads look to other distances within words than at spaces, more than after a shuffle of the labels.

    Queries with less than NEAR tokens before them are left out, so that both groups can look as far.
    """
    statement = "Attention differs within words and at spaces."
    places = [query_places(text, tokenizer) for text in texts]
    usable = np.concatenate([np.arange(len(text.ids)) >= NEAR for text in texts])
    words = np.concatenate([each["within words"] for each in places]) & usable
    spaces = np.concatenate([each["at spaces"] for each in places]) & usable
    if min(words.sum(), spaces.sum()) < 2:
        return Claim(statement, "The text has too few letters or spaces to tell.", None, None)
    rng = np.random.default_rng(seed)
    labels = np.flatnonzero(words | spaces)
    found, above = [], 0
    for head in range(len(texts[0].heads)):
        profiles = np.concatenate([profile(text.weights[head]) for text in texts])
        found.append(distance(profiles, words, spaces))
        chance = []
        for _ in range(SHUFFLES):
            mixed = rng.permutation(labels)
            one, other = np.zeros_like(words), np.zeros_like(words)
            one[mixed[: words.sum()]], other[mixed[words.sum() :]] = True, True
            chance.append(distance(profiles, one, other))
        above += found[-1] > max(chance)
    return Claim(
        statement,
        f"By distance back (0 to {NEAR}, and further), the mean attention of letters and that of spaces differ by "
        f"{np.mean(found):.3f} (total variation, mean over heads, at most {max(found):.3f}); in {above} of "
        f"{len(found)} heads by more than in any of {SHUFFLES} shuffles of which is which.",
        float(np.mean(found)),
        above > len(found) / 2,
    )


def looks_back(texts: Sequence[Attention], tokenizer: Tokenizer, delimiter: str) -> Claim:
    """Whether some head gives most of its attention to the last such sign, at the next AFTER queries after it."""
    statement = f'After "{delimiter}" one head attends mostly to it.'
    wanted = set(tokenizer.encode(delimiter).tolist()) if not tokenizer.unknown(delimiter) else set()
    totals, count = np.zeros(len(texts[0].heads)), 0
    for text in texts:
        last = None
        for query, index in enumerate(text.ids):
            if last is not None and query - last <= AFTER and index not in wanted:
                totals += text.weights[:, query, last]
                count += 1
            last = query if index in wanted else last
    if not count:
        return Claim(statement, f'The text has no "{delimiter}" that anything follows.', None, None)
    best = int(totals.argmax())
    value = float(totals[best] / count)
    name = texts[0].heads[best].title(texts[0].sublayers)
    return Claim(
        statement,
        f"At {count} queries up to {AFTER} tokens after one, {name} gives it {value:.3f} of its attention, more than "
        f"any other head (the mean over heads is {totals.mean() / count:.3f}).",
        value,
        value > 0.5,
    )


def claims_exhibits(found: Sequence[Claim]) -> list[Exhibit]:
    """What was claimed, and what was measured."""
    words = {True: "yes", False: "no", None: "not measured"}
    columns = (Column("claim", numeric=False), Column("measured", numeric=False), Column("holds", numeric=False))
    rows = tuple((claim.statement, claim.measured, words[claim.holds]) for claim in found)
    return [Table(name="head-claims", title="What was said of the heads", columns=columns, rows=rows)]
