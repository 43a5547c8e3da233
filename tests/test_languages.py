"""The formal languages: exact figures against rewriting, enumeration and an independent parser."""

import math
from collections import Counter
from functools import lru_cache

import numpy as np
import pytest

from glassloom.data.languages import END, LANGUAGES, Language
from glassloom.data.languages.language import Following, State
from glassloom.data.languages.toy import RULES
from glassloom.errors import InputError

PUBLISHED = {"ndfa": (3.07330, 14.0), "brackets": (5.48251, 9.0), "toy": (17.69466, 46.011)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_entropy_and_mean_length_come_out_as_published(name: str) -> None:
    entropy, length = PUBLISHED[name]
    assert round(LANGUAGES[name].entropy_nats, 5) == entropy
    assert round(LANGUAGES[name].mean_length, 3) == length


def test_the_derivation_of_a_toy_sentence_has_more_entropy_than_the_sentence() -> None:
    toy = LANGUAGES["toy"]
    assert toy.ambiguity_nats == pytest.approx(0.08866, abs=1e-5)
    assert round(toy.entropy_nats + toy.ambiguity_nats, 5) == 17.78332


@pytest.mark.parametrize("name", PUBLISHED)
def test_sampled_surprise_and_length_agree_with_the_exact_means(name: str) -> None:
    """Within 4 standard errors: fails by chance for 1 seed in 10,000, and the seed is fixed."""
    language = LANGUAGES[name]
    strings = language.sample(10_000, np.random.default_rng(20))
    surprise = -np.array([language.log_probability(string) for string in strings])
    lengths = np.array([len(string) for string in strings])
    for values, mean in ((surprise, language.entropy_nats), (lengths, language.mean_length)):
        assert np.isfinite(values).all()
        assert abs(values.mean() - mean) < 4 * values.std() / math.sqrt(len(values))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_same_seed_draws_the_same_strings(name: str) -> None:
    language = LANGUAGES[name]
    first, again, other = (language.sample(50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[:10] == language.sample(10, np.random.default_rng(1))


def enumerate_strings(language: Language, longest: int) -> dict[str, float]:
    """Every string of at most `longest` symbols with its probability, from the next-symbol distributions alone."""
    found = {}
    waiting = [("", 1.0)]
    while waiting:
        prefix, mass = waiting.pop()
        for symbol, probability in language.next_distribution(prefix).items():
            if symbol == END:
                found[prefix] = mass * probability
            elif len(prefix) < longest:
                waiting.append((prefix + symbol, mass * probability))
    return found


def ndfa_mass(longest: int) -> float:
    return sum(1 / 4 * (3 / 4) ** n for n in range(longest) if 2 + 4 * n <= longest)


def brackets_mass(longest: int) -> float:
    catalan = [math.comb(2 * j, j) // (j + 1) for j in range(longest)]
    return sum(catalan[j] * (7 / 16) ** j * (9 / 16) ** (j + 1) for j in range(longest) if 2 * j + 2 <= longest)


def toy_mass(longest: int) -> float:
    """From the rules as polynomials: the factor of x^n is the probability of n letters, a space after each word."""
    series = {symbol: np.zeros(longest + 2) for symbol in RULES}

    def word(symbol: str) -> np.ndarray:
        one = np.zeros(longest + 2)
        one[min(len(symbol) + 1, longest + 1)] = len(symbol) + 1 <= longest + 1
        return series.get(symbol, one)

    for _ in range(longest):
        for symbol, options in RULES.items():
            total = np.zeros(longest + 2)
            for option in options:
                product = np.eye(1, longest + 2)[0]
                for part in option.split():
                    product = np.convolve(product, word(part))[: longest + 2]
                total += product / len(options)
            series[symbol] = total
    return float(series["S"].sum())


@pytest.mark.parametrize(
    ("name", "longest", "mass"), [("ndfa", 30, ndfa_mass), ("brackets", 14, brackets_mass), ("toy", 23, toy_mass)]
)
def test_the_probabilities_of_all_short_strings_sum_to_the_exact_mass(name: str, longest: int, mass) -> None:
    language = LANGUAGES[name]
    found = enumerate_strings(language, longest)
    assert len(found) > 20
    assert sum(found.values()) == pytest.approx(mass(longest), abs=1e-12)
    for string, probability in list(found.items())[::50]:
        assert math.exp(language.log_probability(string)) == pytest.approx(probability, rel=1e-9)


def parsed_probability(sentence: str) -> float:
    """The inside algorithm over all derivations by the rules; knows nothing of chains of clauses."""
    words = sentence.split(" ")

    @lru_cache(None)
    def derives(symbol: str, start: int, end: int) -> float:
        if symbol not in RULES:
            return float(end == start + 1 and words[start] == symbol)
        return sum(derive_all(tuple(option.split()), start, end) for option in RULES[symbol]) / len(RULES[symbol])

    @lru_cache(None)
    def derive_all(symbols: tuple, start: int, end: int) -> float:
        if len(symbols) == 1:
            return derives(symbols[0], start, end)
        cuts = range(start + 1, end - len(symbols) + 2)
        return sum(derives(symbols[0], start, cut) * derive_all(symbols[1:], cut, end) for cut in cuts)

    return derives("S", 0, len(words))


def test_a_toy_sentence_is_as_probable_as_all_its_derivations_together() -> None:
    toy = LANGUAGES["toy"]
    sentences = [sentence for sentence in toy.sample(400, np.random.default_rng(7)) if len(sentence) < 150]
    deep = (
        "a cat ran while a dog ran but the man went ( while a cat goes but a dog runs quickly briefly ) briefly quickly"
    )
    for sentence in [*sentences, deep]:
        assert toy.log_probability(sentence) == pytest.approx(math.log(parsed_probability(sentence)), abs=1e-9)


OUTSIDE = {
    "ndfa": ["", "s", "sabc!", "sabc!uvw!s", "sabcs", "sabc!ss", "abc!"],
    "brackets": ["", "(", ")", "()()", "(()", "())", "(a)"],
    "toy": [
        "",
        "a cat",
        "a cat ran ",
        " a cat ran",
        "a  cat ran",
        "a cat ran ( quickly )",
        "a cat ran ( while a dog ran",
        "A cat ran",
        "a cat ran on a dog on a dog",
        "quickly a cat ran",
    ],
}
INSIDE = {
    "ndfa": ["ss", "sabc!s", "suvw!uvw!s", "s" + "klm!" * 300 + "s"],
    "brackets": ["()", "(())", "(()())", "(" * 900 + ")" * 900],
    "toy": ["a cat ran", "the busy cat ran ( while a dog ran briefly ) quickly", "a cat ran" + " but a dog went" * 120],
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_membership(name: str) -> None:
    language = LANGUAGES[name]
    for string in OUTSIDE[name]:
        assert not language.contains(string), string
        assert language.log_probability(string) == -math.inf
    for string in INSIDE[name]:
        assert language.contains(string), string
        assert language.log_probability(string) < 0


def test_single_probabilities_by_hand() -> None:
    assert LANGUAGES["ndfa"].log_probability("ss") == pytest.approx(math.log(1 / 4))
    assert LANGUAGES["ndfa"].log_probability("sabc!abc!s") == pytest.approx(math.log(1 / 3 * 1 / 4 * (3 / 4) ** 2))
    assert LANGUAGES["brackets"].log_probability("(())") == pytest.approx(math.log(7 / 16 * (9 / 16) ** 2))
    # 1/6 NP VP; 1/4 a Noun, 1/7 cat; 1/6 ran
    assert LANGUAGES["toy"].log_probability("a cat ran") == pytest.approx(math.log(1 / 6 / 4 / 7 / 6))
    # Two derivations: the adverb at the second clause, or at the whole.
    clause = 1 / 4 / 7 / 6
    two = 2 * (1 / 6 * 1 / 3) * (1 / 6 * 1 / 2) * 1 / 6 * clause**2
    assert LANGUAGES["toy"].log_probability("a cat ran but a dog ran briefly") == pytest.approx(math.log(two))


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_next_symbol_has_a_distribution_after_every_prefix_and_none_after_what_is_no_prefix(name: str) -> None:
    language = LANGUAGES[name]
    for string in INSIDE[name]:
        for distribution in language.walk(string):
            assert sum(distribution.values()) == pytest.approx(1, abs=1e-12)
            assert min(distribution.values()) > 0
        assert END in language.next_distribution(string)
    assert language.next_distribution("?") == {}
    assert list(language.walk("?")) == [language.next_distribution("")]


def test_samples_follow_the_next_symbol_distribution() -> None:
    """How many of 10,000 strings go on with each letter after one prefix, within 4 standard deviations."""
    strings = LANGUAGES["toy"].sample(10_000, np.random.default_rng(9))
    prefix = "the "
    seen = Counter(string[len(prefix)] for string in strings if string.startswith(prefix))
    expected = LANGUAGES["toy"].next_distribution(prefix)
    total = seen.total()
    assert set(seen) == set(expected)
    for letter, probability in expected.items():
        assert abs(seen[letter] / total - probability) < 4 * math.sqrt(probability * (1 - probability) / total)


class Parity(Language):
    """A user's own: a's and b's with an even number of b's."""

    name = "parity"
    definition = "strings of a and b with an even number of b"

    def begin(self) -> State:
        return 0

    def following(self, state: State) -> Following:
        if state == 0:
            return {END: (0.5, 0), "a": (0.25, 0), "b": (0.25, 1)}
        return {"a": (0.5, 1), "b": (0.5, 0)}


class Counting(Parity):
    """One more state for every symbol."""

    name = "counting"

    def following(self, state: State) -> Following:
        return {END: (0.5, 0), "a": (0.5, state + 1)}


def test_a_language_of_ones_own_needs_two_methods() -> None:
    parity = Parity()
    # Symbols still to come: even = 1/2 + even/4 + odd/4, odd = 1 + odd/2 + even/2, so even = 2.
    assert parity.mean_length == pytest.approx(2)
    strings = parity.sample(2_000, np.random.default_rng(3))
    assert all(string.count("b") % 2 == 0 for string in strings)
    surprise = -np.array([parity.log_probability(string) for string in strings])
    assert abs(surprise.mean() - parity.entropy_nats) < 4 * surprise.std() / math.sqrt(len(strings))


def test_endless_states_ask_for_the_entropy_by_name() -> None:
    with pytest.raises(InputError, match="define entropy_nats and mean_length"):
        _ = Counting().entropy_nats
