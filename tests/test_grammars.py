"""Grammar files: probabilities against enumeration of derivations, entropy, ambiguity, and errors with their line."""

import itertools
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from glassloom.data import DataSettings, load_corpus
from glassloom.data.corpus import reopen_corpus
from glassloom.data.drawn import language_of
from glassloom.data.languages import END, LANGUAGES, WrittenLanguage, read_grammar
from glassloom.data.languages.grammar import Grammar
from glassloom.data.languages.toy import RULES
from glassloom.data.languages.unambiguous import is_deterministic
from glassloom.errors import CorpusError, InputError

TOY = "separator ' '\n" + "\n".join(f"{symbol} -> {' | '.join(options)}" for symbol, options in RULES.items())

GRAMMARS = {
    "nested": "S -> a S b [0.4] | a b [0.6]",
    "empty": 'S -> a S b [0.4] | "" [0.6]',
    "hidden": 'S -> A B c A [0.7] | A [0.3]\nA -> a [0.5] | "" [0.5]\nB -> b B [0.3] | A [0.7]',
    "left": "S -> S x [0.3] | y [0.7]",
    "both": "S -> S S [0.3] | a [0.5] | b [0.2]",
    "chains": "S -> T [0.5] | a S [0.2] | U [0.3]\nT -> U [0.6] | b [0.4]\nU -> c [0.9] | T [0.1]",
    "words": "separator ' '\nS -> NP saw NP [0.5] | NP ran [0.5]\nNP -> she [0.7] | NP near NP [0.2] | 'a  b' [0.1]",
    "palindromes": 'S -> a S a [0.3] | b S b [0.3] | "" [0.4]',
}


def by_rewriting(text: str, longest: int) -> dict[str, float]:
    """Every string up to a length with its probability, by rewriting the leftmost symbol breadth first.

    Derivations of less than 1e-9 are given up, so the sums are that near.
    """
    grammar = WrittenLanguage("any", text).grammar
    found: dict[str, float] = defaultdict(float)
    waiting = {(grammar.start,): 1.0}
    while waiting:
        after: dict[tuple[str, ...], float] = defaultdict(float)
        for parts, mass in waiting.items():
            place = next((i for i, part in enumerate(parts) if part in grammar.rules), None)
            words = [part for part in parts if part not in grammar.rules]
            if len(grammar.separator.join(words)) > longest or mass < 1e-9:
                continue
            if place is None:
                found[grammar.separator.join(parts)] += mass
                continue
            for probability, rest in grammar.rules[parts[place]]:
                after[(*parts[:place], *rest, *parts[place + 1 :])] += mass * probability
        waiting = after
    return found


@pytest.mark.parametrize("name", GRAMMARS)
def test_a_string_is_as_probable_as_all_its_derivations_together(name: str) -> None:
    language = WrittenLanguage(name, GRAMMARS[name])
    longest = 14 if name == "words" else 5
    strings = by_rewriting(GRAMMARS[name], longest)
    assert len(strings) >= 2
    for string, probability in strings.items():
        assert math.exp(language.log_probability(string)) == pytest.approx(probability, rel=1e-4, abs=1e-7), string
    assert language.length_probabilities(longest).sum() == pytest.approx(sum(strings.values()), abs=1e-5)


@pytest.mark.parametrize("name", GRAMMARS)
def test_the_next_symbol_is_as_probable_as_the_strings_that_have_it(name: str) -> None:
    """A prefix's probability is the sum over its continuations: the chain rule, at every prefix of some samples."""
    language = WrittenLanguage(name, GRAMMARS[name])
    for string in language.sample(20, np.random.default_rng(2)):
        total = 0.0
        for symbol, distribution in zip([*string, END], language.walk(string), strict=True):
            assert sum(distribution.values()) == pytest.approx(1, abs=1e-9)
            total += math.log(distribution[symbol])
        assert total == pytest.approx(language.log_probability(string))


def test_the_grammar_of_toy_gives_what_the_machine_of_toy_gives() -> None:
    written, machine = WrittenLanguage("toy", TOY), LANGUAGES["toy"]
    for sentence in machine.sample(60, np.random.default_rng(3)):
        assert written.log_probability(sentence) == pytest.approx(machine.log_probability(sentence), abs=1e-9)
    prefix = "a cat ran ( while a dog ran "
    assert written.next_distribution(prefix) == pytest.approx(machine.next_distribution(prefix))
    assert not written.contains("a cat ran )")


def test_a_long_prefix_does_not_vanish() -> None:
    nested = WrittenLanguage("nested", GRAMMARS["nested"])
    string = "a" * 900 + "b" * 900
    assert nested.log_probability(string) == pytest.approx(899 * math.log(0.4) + math.log(0.6))


# -- entropy


def test_the_entropy_of_an_unambiguous_grammar_is_exact() -> None:
    nested = WrittenLanguage("nested", GRAMMARS["nested"])
    choice = -(0.4 * math.log(0.4) + 0.6 * math.log(0.6))
    assert nested.exact_entropy
    assert nested.entropy_nats == pytest.approx(choice / 0.6)
    assert nested.mean_length == pytest.approx(2 / 0.6)
    assert nested.ambiguous_string is None


def test_the_entropy_of_an_ambiguous_grammar_is_a_bound_and_called_so() -> None:
    toy = WrittenLanguage("toy", TOY)
    assert not toy.exact_entropy
    assert round(toy.entropy_nats, 5) == 17.78332  # the derivation's; the sentence's is 17.69466
    assert toy.ambiguous_string is not None
    assert math.exp(toy.log_probability(toy.ambiguous_string)) > 0
    doubled = WrittenLanguage("doubled", GRAMMARS["both"])
    assert doubled.ambiguous_string is not None
    assert len(doubled.ambiguous_string) == 3  # three letters are grouped in two ways


@pytest.mark.parametrize(
    ("name", "shown"),
    [("nested", True), ("empty", True), ("left", True), ("both", False), ("chains", False), ("palindromes", False)],
)
def test_what_is_shown_to_be_unambiguous(name: str, shown: bool) -> None:
    assert WrittenLanguage(name, GRAMMARS[name]).exact_entropy is shown


def test_the_listed_languages_with_a_grammar_have_a_deterministic_one() -> None:
    for language in LANGUAGES.values():
        if language.grammar is not None and language.name != "toy":
            assert is_deterministic(language.grammar), language.name


def test_a_rule_that_is_a_symbol_of_its_own_is_ambiguous() -> None:
    assert not is_deterministic(Grammar({"S": ((0.5, ("S",)), (0.5, ("a",)))}))


# -- files


def test_options_go_on_in_the_next_line_and_text_in_quotes_is_text() -> None:
    text = "# quoted\nS -> 'S' \"|\" [0.5]   # a remark\n  | T [0.25]\n  | ' ' [0.25]\nT -> '[' ']'"
    language = WrittenLanguage("q", text)
    assert language.definition == "quoted"
    found = {string: round(math.exp(language.log_probability(string)), 6) for string in ("S|", "[]", " ", "T")}
    assert found == {"S|": 0.5, "[]": 0.25, " ": 0.25, "T": 0.0}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rule"),
        ("S -> a\nS a b", "Line 2 .*this is no rule"),
        ("| a", "Line 1 .*this is no rule"),
        ("S -> a [0.5] | b [0.6]", r"Line 1 .*sum to 1\.1"),
        ("S -> a\nT -> b [0.5] | c\nU -> T", "Line 2 .*some options have a probability and some have none"),
        ("S -> a [x]", r"Line 1 .*\[x\] is no probability"),
        ("S -> a [0] | b [1]", r"\[0\] is no probability"),
        ("S -> a [0.5] b | c [0.5]", "Line 1 .*stands behind a probability"),
        ("S -> a | | b", "Line 1 .*an option of S is empty"),
        ("S -> a |", "an option of S is empty"),
        ("S -> Np b\nNP -> a", "Line 1 .*Np has no rules.*did you mean NP"),
        ("S -> a\nT -> b", "Line 2 .*T is used nowhere"),
        ("S -> a S b", "Line 1 .*grows without end"),
        ("S -> S S [0.5] | a [0.5]", "grows without end"),
        ('S -> "a', "Line 1 .*is not closed"),
        ("S -> a -> b", "Line 1 .*a second ->"),
    ],
)
def test_what_is_wrong_in_a_grammar_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        WrittenLanguage("mine", text)


def test_a_grammar_file_is_a_corpus_that_needs_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.grammar"
    path.write_text("# as many b as a\nS -> a S b [0.4] | a b [0.6]\n", encoding="utf-8")
    corpus = load_corpus(path, DataSettings(samples=50), cache=tmp_path / "cache")
    facts = corpus.describe()
    assert facts["entropy_nats_per_sequence"] == pytest.approx(read_grammar(path).entropy_nats)
    assert (facts["language"], facts["definition"]) == ("mine", "as many b as a")
    path.unlink()
    assert language_of(facts).contains("aabb")
    again = reopen_corpus(facts, tmp_path / "cache")
    assert again is not None
    assert again.describe() == facts


def test_an_ambiguous_grammar_gives_a_bound_and_an_example(tmp_path: Path) -> None:
    path = tmp_path / "sums.grammar"
    path.write_text("S -> S + S [0.3] | 1 [0.7]\n", encoding="utf-8")
    facts = load_corpus(str(path), DataSettings(samples=20), cache=tmp_path / "cache").describe()
    assert "entropy_nats_per_sequence" not in facts
    choice = -(0.3 * math.log(0.3) + 0.7 * math.log(0.7))
    assert facts["derivational_entropy_nats_per_sequence"] == pytest.approx(choice / 0.4)
    assert facts["ambiguous_string"] == "1+1+1"


def test_a_changed_grammar_is_another_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.grammar"
    found = []
    for rules in ("S -> a S [0.5] | b [0.5]", "S -> a S [0.4] | b [0.6]"):
        path.write_text(rules, encoding="utf-8")
        found.append(load_corpus(path, DataSettings(samples=50), cache=tmp_path / "cache").sha256)
    assert found[0] != found[1]


def test_a_language_from_python_is_a_corpus_too(tmp_path: Path) -> None:
    class Ones(type(LANGUAGES["brackets"])):
        name = "ones"

    corpus = load_corpus(Ones(), DataSettings(samples=30), cache=tmp_path)
    assert set(corpus.text()) == {"(", ")"}
    with pytest.raises(InputError, match="ones was defined in Python"):
        language_of(corpus.describe())
    with pytest.raises(InputError, match="was not drawn from a formal language"):
        language_of({"name": "novel"})


def test_strings_of_a_grammar_of_one_length_are_drawn_by_their_probability() -> None:
    """All of length 3 of S -> S S | a | b: 2 groupings of 8 words; within 5 standard deviations, the seed fixed."""
    language, count = WrittenLanguage("both", GRAMMARS["both"]), 2_000
    drawn = language.of_length(3, count, np.random.default_rng(8))
    for letters in itertools.product("ab", repeat=3):
        string = "".join(letters)
        share = (5 / 7) ** string.count("a") * (2 / 7) ** string.count("b")
        assert abs(drawn.count(string) / count - share) < 5 * math.sqrt(share * (1 - share) / count)
