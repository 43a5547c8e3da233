"""`toy`: small English sentences with brackets, by rewriting rules chosen uniformly.

(Vrije Universiteit Amsterdam, deep learning, assignment 4; written in characters, single spaces between words.)

The rules are ambiguous in one way. In "a cat ran while a dog ran briefly" the adverb may belong to the second clause
or to the whole: S -> S Adv can be applied at any of the m clauses that are joined by bare conjunctions, and all of
them end at the same place. So a chain of m clauses followed by k adverbs has (k+m-1 choose k) derivations, all equally
probable. How many adverbs follow it in all is the sum of m geometric numbers, which is negative binomial; the machine
below writes from left to right with just that.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np

from glassloom.data.languages.grammar import Grammar
from glassloom.data.languages.language import END, Following, Language, State, chances_from

RULES = {
    "S": ["S Adv", "NP VP", "NP VP Prep NP", "NP VP ( Prep NP )", "NP VP Con S", "NP VP ( Con S )"],
    "NP": ["a Noun", "the Noun", "a Adj Noun", "the Adj Noun"],
    "Adv": ["briefly", "quickly", "impatiently"],
    "Prep": ["on", "with", "to"],
    "Con": ["while", "but"],
    "Noun": ["mouse", "bunny", "cat", "dog", "man", "woman", "person"],
    "VP": ["walked", "walks", "ran", "runs", "goes", "went"],
    "Adj": ["short", "quick", "busy", "nice", "gorgeous"],
}

ADVERB = 1 / len(RULES["S"])
"""How probable one more adverb is, at each clause of a chain."""
TAIL = 1 / (len(RULES["S"]) - 1)
"""How probable each of the other five rules is, once the adverbs are set apart."""


class Place(NamedTuple):
    """Where in a sentence the machine stands, in words."""

    step: str
    """What comes next: article, described (a noun or adjective), noun, verb, tail, inside, preposition, adverbs, )."""
    chains: tuple[int, ...] = (1,)
    """For each bracket that is open, outermost first: how many clauses its chain has so far."""
    then: str = "verb"
    """The step after the noun phrase."""
    adverbs: int = 0
    """How many the chain has so far."""


class Toy(Language):
    """States: a place, and the letters of the next word that are written already."""

    name = "toy"
    definition = "small English sentences with adverbs, prepositions, conjunctions and brackets"
    grammar = Grammar.uniform(RULES, separator=" ")

    def begin(self) -> State:
        return Place("article"), "", ""

    def following(self, state: State) -> Following:
        assert isinstance(state, tuple)
        place, written, space = state
        # No word of a place begins with another one, so a word is over as soon as it is spelt.
        spelt = {space + word if word != END else END: found for word, found in words(place).items()}
        left = {word: found for word, found in spelt.items() if word.startswith(written)}
        total = sum(probability for probability, _ in left.values())
        following: Following = {}
        for word, (probability, after) in left.items():
            symbol = END if word == END else word[len(written)]
            now = written + symbol
            before = following[symbol][0] if symbol in following else 0.0
            following[symbol] = (before + probability / total, (after, "", " ") if now == word else (place, now, space))
        return following

    def sample(self, count: int, rng: np.random.Generator) -> list[str]:
        """`count` sentences, each derived by the rules themselves."""
        chances = chances_from(rng)
        return [self.grammar.string(chances) for _ in range(count)]

    @cached_property
    def entropy_nats(self) -> float:
        """The entropy of the derivation, less what the sentence does not tell of it."""
        return self.grammar.derivational_entropy_nats - self.ambiguity_nats

    @cached_property
    def ambiguity_nats(self) -> float:
        """The mean of ln(number of derivations of the sentence): over chains, of ln (k+m-1 choose k).

        P(m clauses) = (1-TAIL) TAIL^(m-1), P(k adverbs | m) = (k+m-1 choose k) (1-ADVERB)^m ADVERB^k; the last clause
        of a chain opens a bracket with another chain in it with TAIL / (1-TAIL), so there are 1 / (1 - that) chains.
        Both series are cut where what is left lies below 1e-15.
        """
        chains = 1 / (1 - TAIL / (1 - TAIL))
        total = 0.0
        for m in range(2, 40):
            for k in range(1, 120):
                derivations = math.comb(k + m - 1, k)
                probability = (1 - TAIL) * TAIL ** (m - 1) * derivations * (1 - ADVERB) ** m * ADVERB**k
                total += probability * math.log(derivations)
        return chains * total

    @cached_property
    def mean_length(self) -> float:
        return self.grammar.mean_length


def words(place: Place) -> dict[str, tuple[float, Place]]:
    """The words that can come at a place, each with its probability and the place after it; END among them."""
    step, chains, then, adverbs = place
    match step:
        case "article":
            return _each(["a", "the"], 1.0, place._replace(step="described"))
        case "described":
            adjectives = _each(RULES["Adj"], 1 / 2, place._replace(step="noun"))
            return _each(RULES["Noun"], 1 / 2, place._replace(step=then)) | adjectives
        case "noun":
            return _each(RULES["Noun"], 1.0, place._replace(step=then))
        case "verb":
            return _each(RULES["VP"], 1.0, Place("tail", chains))
        case "tail":
            bare = Place("article", (*chains[:-1], chains[-1] + 1))
            found = {word: (TAIL * p, after) for word, (p, after) in words(Place("adverbs", chains)).items()}
            found |= _each(RULES["Prep"], TAIL, Place("article", chains, then="adverbs"))
            found |= _each(RULES["Con"], TAIL, bare)
            return found | {"(": (2 * TAIL, Place("inside", chains))}
        case "inside":
            phrase = _each(RULES["Prep"], 1 / 2, Place("article", chains, then=")"))
            return phrase | _each(RULES["Con"], 1 / 2, Place("article", (*chains, 1)))
        case ")":
            return {")": (1.0, Place("adverbs", chains))}
        case "adverbs":
            stop = stops(chains[-1], adverbs)
            more = _each(RULES["Adv"], 1 - stop, Place("adverbs", chains, adverbs=adverbs + 1))
            over = {")": (stop, Place("adverbs", chains[:-1]))} if len(chains) > 1 else {END: (stop, place)}
            return more | over
    raise AssertionError(f"no such step: {step}")


def stops(clauses: int, adverbs: int) -> float:
    """P(K = adverbs | K >= adverbs), K the number of adverbs after a chain: negative binomial, summed from there up."""
    term, total, k = 1.0, 1.0, adverbs
    while term > 1e-18 * total:
        term *= ADVERB * (k + clauses) / (k + 1)
        total += term
        k += 1
    return 1 / total


def _each(options: list[str], share: float, after: Place) -> dict[str, tuple[float, Place]]:
    return {word: (share / len(options), after) for word in options}
