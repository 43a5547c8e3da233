"""What a model of a language is held against: a model whose every probability is known, and one that is the source."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from glassloom.data import DataSettings, load_corpus
from glassloom.data.languages import END, LANGUAGES, Language
from glassloom.models import build
from glassloom.models.contract import LanguageModel, ModelSettings, State
from glassloom.views.catalogue import held_out_tokens
from glassloom.views.language import Estimate, divergences, excess, excess_by_length, possible_lengths, string_nats
from glassloom.views.subject import Subject
from glassloom.views.written_strings import length_histogram, most_probable, validity


class Known(LanguageModel):
    """A model that computes nothing: after each prefix it has the source's distribution, `mixed` with the uniform."""

    def __init__(self, language: Language, tokenizer: Any, mixed: float) -> None:
        super().__init__(ModelSettings(), tokenizer.size)
        self.language, self.tokenizer, self.mixed = language, tokenizer, mixed
        self.anchor = torch.nn.Parameter(torch.zeros(1))

    def forward(self, tokens: torch.Tensor, state: State | None = None) -> tuple[torch.Tensor, State]:
        found = torch.full((*tokens.shape, self.vocabulary), self.mixed / self.vocabulary, dtype=torch.float64)
        for row, ids in enumerate(tokens.tolist()):
            for place in range(len(ids)):
                prefix = self.tokenizer.decode(ids[1 : place + 1])
                for symbol, probability in self.language.next_distribution(prefix).items():
                    index = self.tokenizer.specials[END] if symbol == END else int(self.tokenizer.encode(symbol)[0])
                    found[row, place, index] += (1 - self.mixed) * probability
        return found.log(), ()


def known(name: str, mixed: float) -> tuple[Known, Any, Language]:
    """That model for a listed language, with its tokenizer."""
    tokenizer = load_corpus(name, DataSettings(samples=200)).tokenizer
    return Known(LANGUAGES[name], tokenizer, mixed), tokenizer, LANGUAGES[name]


def test_the_source_itself_has_no_excess_and_no_divergence() -> None:
    model, tokenizer, language = known("brackets", 1e-300)
    strings = [*language.of_length(6, 4, np.random.default_rng(0)), "()", "(())"]
    found = excess(model, tokenizer, language, strings)
    assert found.excess.mean == pytest.approx(0, abs=1e-9)
    assert found.divergence.mean == pytest.approx(0, abs=1e-9)
    assert found.is_the_floor
    assert found.entropy_nats == language.entropy_nats


def test_the_excess_of_a_mixture_by_hand() -> None:
    """Of "()" under p/2 + uniform/2 over 6 ids: "(" is certain, ")" has 9/16, .end is certain."""
    model, tokenizer, language = known("brackets", 0.5)
    own = [1 / 2 + 1 / 12, 9 / 32 + 1 / 12, 1 / 2 + 1 / 12]
    nats = -sum(map(math.log, own))
    assert string_nats(model, tokenizer, ["()"])[0] == pytest.approx(nats, abs=1e-9)
    found = excess(model, tokenizer, language, ["()", "()"])
    assert found.excess.mean == pytest.approx(nats + math.log(9 / 16), abs=1e-9)
    assert found.excess.error == 0
    other = 7 / 32 + 1 / 12
    second = 9 / 16 * math.log(9 / 16 / own[1]) + 7 / 16 * math.log(7 / 16 / other)
    in_all = second - math.log(own[0]) - math.log(own[2])
    sums, counts = divergences(model, tokenizer, language, ["()"])
    assert sums[0] == pytest.approx(in_all, abs=1e-9)
    assert counts.tolist() == [3]
    assert found.divergence.mean == pytest.approx(in_all / 3, abs=1e-9)


def test_the_divergence_over_a_string_has_the_excess_as_its_mean() -> None:
    """The chain rule, over 400 strings: the two estimates differ by less than 4 of their joint standard errors."""
    model, tokenizer, language = known("ndfa", 0.1)
    strings = [string for string in language.sample(500, np.random.default_rng(5)) if len(string) < 40][:400]
    found = excess(model, tokenizer, language, strings)
    error = math.hypot(found.excess.error, found.divergence_a_string.error)
    assert abs(found.excess.mean - found.divergence_a_string.mean) < 4 * error + 0.2  # long strings were left out


def test_the_excess_grows_with_the_length_where_every_token_is_mixed() -> None:
    model, tokenizer, language = known("anbn", 0.1)
    found = excess_by_length(model, tokenizer, language, 8, (0.5, 1, 2, 3), count=2)
    assert [at.length for at in found] == [4, 8, 16, 24]
    assert [at.times for at in found] == [0.5, 1, 2, 3]
    certain = -math.log(0.9 + 0.1 / tokenizer.size)
    open_choices = {length: length // 2 for length in (8, 16)}  # a or b, after each a
    both = {length: at.excess.mean for length, at in zip((4, 8, 16, 24), found, strict=True)}
    first = math.log(0.8) - math.log(0.9 * 0.8 + 0.1 / tokenizer.size)
    last = math.log(0.2) - math.log(0.9 * 0.2 + 0.1 / tokenizer.size)
    for length, choices in open_choices.items():
        expected = (choices - 1) * first + last + (length + 1 - choices) * certain
        assert both[length] == pytest.approx(expected, abs=1e-9)


def test_possible_lengths_are_those_that_strings_have() -> None:
    assert possible_lengths(LANGUAGES["ndfa"], [1, 3, 7, 20]) == [2, 6, 10, 22]
    assert possible_lengths(LANGUAGES["brackets"], [3, 4]) == [4]


def test_an_estimate_is_a_mean_and_its_standard_error() -> None:
    assert Estimate.of(np.array([1.0, 2.0, 3.0, 6.0])) == Estimate(3.0, math.sqrt(14 / 3) / 2, 4)


# -- what a model writes


def test_validity_counts_by_length_and_names_what_is_wrong() -> None:
    samples = ["()", "()", "(())", "())", "((", None]
    found = validity(LANGUAGES["brackets"], samples)
    assert (found.count, found.valid, found.unfinished) == (6, 3, 1)
    assert [(share.low, share.high, share.count, share.valid) for share in found.by_length] == [
        (2, 3, 4, 2),
        (4, 7, 1, 1),
    ]
    assert found.wrong == ("((", "())")
    assert found.share == 0.5


def test_true_strings_have_the_true_lengths() -> None:
    """The distance of 20,000 true strings in 16 classes is about 16 times sqrt(p (1-p) / n) / 2: below 2 percent."""
    language = LANGUAGES["toy"]
    found = length_histogram(language, language.sample(20_000, np.random.default_rng(2)))
    assert sum(found.exact) == pytest.approx(1)
    assert sum(found.written) == pytest.approx(1)
    assert found.distance < 0.02
    short = length_histogram(language, ["a cat ran"] * 10)
    assert short.distance > 0.9
    assert length_histogram(language, [None] * 10).distance == pytest.approx(1)


@pytest.mark.parametrize(
    ("name", "text", "prompt", "ended", "agrees"),
    [
        ("ndfa", "sabc!abc!", "", False, True),  # goes on for ever
        ("ndfa", "sabc!s", "", True, False),
        ("ndfa", "ss", "", True, True),  # after the first s, stopping is as probable as each word
        ("brackets", "()", "", True, True),
        ("brackets", ")", "(()", True, True),
        ("brackets", "())", "(()", True, False),
        ("tomita-1", "1111", "", False, True),
    ],
)
def test_the_most_probable_text(name: str, text: str, prompt: str, ended: bool, agrees: bool) -> None:
    assert most_probable(LANGUAGES[name], text, prompt=prompt, ended=ended).agrees is agrees


def test_where_a_text_differs_from_the_most_probable_one() -> None:
    found = most_probable(LANGUAGES["brackets"], "(())", ended=True)
    assert (found.differs_at, found.expected) == (1, (")",))


def test_the_held_out_text_that_stands_in_is_a_string_long_enough_to_look_at() -> None:
    corpus = load_corpus("brackets", DataSettings(samples=2000))
    lengths = np.diff(np.append(corpus.valid.starts, corpus.valid.tokens))
    found = held_out_tokens(Subject(build("gru", corpus.tokenizer.size), corpus.tokenizer, text=corpus), 1000)
    assert len(found) == lengths.max() > lengths[0]
    text = corpus.tokenizer.decode(found)
    assert text.count("(") == text.count(")") == len(found) // 2
