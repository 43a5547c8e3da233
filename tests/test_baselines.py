"""The baselines: their numbers against independent computations, and what is kept of them."""

import json
import lzma
import math
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glassloom.data import Corpus, DataSettings, load_corpus, load_text
from glassloom.data.baselines import METHODS, Baseline, KneserNey, baselines, cached, passed
from glassloom.data.baselines.kneser_ney import _distinct
from glassloom.errors import CorpusError, SettingError, TokenizerError
from glassloom.units import figures

BORDER = "<border>"


class SlowKneserNey:
    """Chen and Goodman's equations, over dictionaries of tuples: slow, and written from the paper alone."""

    def __init__(self, sequences: list[list[int]], vocabulary: int, order: int) -> None:
        self.vocabulary, self.order = vocabulary, order
        self.counts: list[dict[tuple, int]] = [{} for _ in range(order + 1)]
        raw: list[Counter] = [Counter() for _ in range(order + 2)]
        for sequence in sequences:
            whole = [BORDER, *sequence]
            for n in range(1, order + 1):
                raw[n].update(tuple(whole[i : i + n]) for i in range(len(whole) - n + 1))
        for n in range(1, order + 1):
            before = defaultdict(set)
            for gram in raw[n + 1] if n < order else ():
                before[gram[1:]].add(gram[0])
            for gram, count in raw[n].items():
                if gram == (BORDER,):
                    continue
                keeps = n == order or gram[0] == BORDER
                self.counts[n][gram] = count if keeps else len(before[gram])

    def discount(self, n: int, count: int) -> float:
        of = Counter(self.counts[n].values())
        n1, n2, n3, n4 = (of[i] for i in (1, 2, 3, 4))
        if n1 == 0 or n2 == 0:
            all_three = [0.5, 1.0, 1.5]
        else:
            y = n1 / (n1 + 2 * n2)
            all_three = [1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3 if n3 else 0]
            if any(not 0 < d <= c for d, c in zip(all_three, (1, 2, 3), strict=True)):
                all_three = [y, y, y]
        return all_three[min(count, 3) - 1]

    def probability(self, token: int, context: tuple, n: int | None = None) -> float:
        n = self.order if n is None else n
        if n == 0:
            return 1 / self.vocabulary
        history = context[len(context) - n + 1 :] if len(context) >= n - 1 else None
        lower = self.probability(token, context, n - 1)
        if history is None:
            return lower
        following = {g[-1]: c for g, c in self.counts[n].items() if g[:-1] == history}
        if not following:
            return lower
        total = sum(following.values())
        count = following.get(token, 0)
        kept = count - self.discount(n, count) if count else 0.0
        freed = sum(self.discount(n, c) for c in following.values())
        return (kept + freed * lower) / total

    def nats(self, sequence: list[int], begins: bool) -> list[float]:
        whole: list = [BORDER, *sequence] if begins else list(sequence)
        first = 1 if begins else 0
        return [-math.log(self.probability(whole[i], tuple(whole[:i]))) for i in range(first, len(whole))]


def random_ids(seed: int, length: int, vocabulary: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.choice(vocabulary, size=length, p=rng.dirichlet(np.full(vocabulary, 0.5))).astype(np.uint8)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize(("length", "vocabulary"), [(300, 4), (120, 30), (7, 3)])
def test_kneser_ney_equals_the_equations_on_a_stream(order: int, length: int, vocabulary: int) -> None:
    train, held_out = random_ids(1, length, vocabulary), random_ids(2, 60, vocabulary)
    slow = SlowKneserNey([train.tolist()], vocabulary, order)
    fast = KneserNey.fit(train, vocabulary, order)
    np.testing.assert_allclose(fast.nats(held_out), slow.nats(held_out.tolist(), begins=False), rtol=0, atol=1e-10)
    for context in ([], [0], train[3:6].tolist(), held_out[5:15].tolist(), [vocabulary - 1] * 6):
        expected = [slow.probability(token, tuple(context)) for token in range(vocabulary)]
        np.testing.assert_allclose(fast.probabilities(context), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_kneser_ney_equals_the_equations_on_sequences_and_crosses_no_border(order: int) -> None:
    ids, starts = random_ids(3, 200, 5), np.array([0, 3, 4, 60, 61, 130, 190])
    other, other_starts = random_ids(4, 50, 5), np.array([0, 10, 11, 30])
    slow = SlowKneserNey([part.tolist() for part in np.split(ids, starts[1:])], 5, order)
    fast = KneserNey.fit(ids, 5, order, starts)
    expected = [n for part in np.split(other, other_starts[1:]) for n in slow.nats(part.tolist(), begins=True)]
    np.testing.assert_allclose(fast.nats(other, other_starts), expected, rtol=0, atol=1e-10)
    for context in ([], [1], [2, 0], [0, 1, 2, 3, 4, 0]):
        expected = [slow.probability(token, (BORDER, *context)) for token in range(5)]
        np.testing.assert_allclose(fast.probabilities(context, begins=True), expected, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 6), max_size=80), st.lists(st.integers(0, 6), max_size=8), st.integers(1, 5))
def test_probabilities_sum_to_one_for_seen_unseen_and_empty_contexts(
    train: list[int], context: list[int], order: int
) -> None:
    model = KneserNey.fit(np.array(train, dtype=np.uint8), vocabulary=7, order=order)
    for one in (context, [], train[:4]):
        probabilities = model.probabilities(one)
        assert abs(probabilities.sum() - 1) < 1e-12
        assert probabilities.min() > 0
    # The nats of a stream are those of the distributions, token by token.
    expected = [-math.log(model.probabilities(context[:i])[token]) for i, token in enumerate(context)]
    np.testing.assert_allclose(model.nats(np.array(context, dtype=np.uint8)), expected, rtol=0, atol=1e-10)


def test_sorting_finds_the_same_pairs_as_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    train, held_out = random_ids(5, 2000, 40), random_ids(6, 300, 40)
    by_table = KneserNey.fit(train, 40, 4).nats(held_out)
    monkeypatch.setattr("glassloom.data.baselines.kneser_ney.TABLE", 0)
    keys, places, example = _distinct(np.array([7, 3, 7, 9]), 100)
    assert keys.tolist() == [3, 7, 9]
    assert places.tolist() == [1, 0, 1, 2]
    assert np.array([7, 3, 7, 9])[example].tolist() == [3, 7, 9]
    assert np.array_equal(KneserNey.fit(train, 40, 4).nats(held_out), by_table)


def test_a_vocabulary_of_16_million_needs_no_table_of_pairs() -> None:
    ids = np.array([2**24 - 1, 5, 2**24 - 1, 5, 7], dtype=np.uint32)
    nats = KneserNey.fit(ids, 2**24, 3).nats(ids)
    assert np.isfinite(nats).all()
    assert nats[1] < 1.0  # "5" always followed


def test_an_id_beyond_the_vocabulary_is_named() -> None:
    with pytest.raises(TokenizerError, match=r"id 9 lies beyond"):
        KneserNey.fit(np.array([0, 9]), vocabulary=9)
    with pytest.raises(SettingError, match="order 0"):
        KneserNey.fit(np.array([0, 1]), vocabulary=9, order=0)


def read_words(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").replace("\n", " <eos> ").split()


def test_penn_treebank_reaches_the_published_perplexities(data_folder: Path) -> None:
    train, valid, test = (read_words(data_folder / "ptb" / f"ptb.{name}.txt") for name in ("train", "valid", "test"))
    number = {word: i for i, word in enumerate(dict.fromkeys(train))}
    train_ids, valid_ids, test_ids = (np.array([number[word] for word in part]) for part in (train, valid, test))

    def perplexities(order: int) -> tuple[float, float]:
        model = KneserNey.fit(train_ids, len(number), order)
        return math.exp(model.nats(valid_ids).mean()), math.exp(model.nats(test_ids).mean())

    assert perplexities(1) == pytest.approx((687.026, 639.301), abs=0.01)
    five = perplexities(5)
    assert five[0] <= 148.4
    assert five[1] <= 141.5


NAMES = ["uniform", "unigram", "bigram", "kneser-ney-5", "xz"]


@pytest.fixture
def corpus(tiny_text: str, tmp_path: Path) -> Corpus:
    return load_text(tiny_text, DataSettings(split="90,10"), cache=tmp_path)


def test_the_baselines_of_a_stream_are_those_computed_by_hand(corpus: Corpus) -> None:
    found = baselines(corpus)
    assert list(found) == NAMES == list(METHODS)
    size = corpus.tokenizer.size
    assert found["uniform"].nats_per_token == pytest.approx(math.log(size), abs=1e-12)
    for name, order in (("unigram", 1), ("bigram", 2), ("kneser-ney-5", 5)):
        nats = KneserNey.fit(corpus.train.ids, size, order).nats(corpus.valid.ids)
        assert found[name].nats_per_token == pytest.approx(nats.mean(), abs=1e-12)
        slow = SlowKneserNey([corpus.train.ids.tolist()], size, order)
        np.testing.assert_allclose(nats[:12], slow.nats(corpus.valid.ids[:12].tolist(), begins=False), atol=1e-10)
    train, both = corpus.text(), corpus.text() + corpus.text("valid")
    before, after = (len(lzma.compress(text.encode(), preset=9)) for text in (train, both))
    by_xz = (after - before) * 8 * math.log(2) / corpus.valid.tokens
    assert found["xz"].nats_per_token == pytest.approx(by_xz, rel=0.01)
    one = found["kneser-ney-5"]
    assert one.figures == figures(one.nats_per_token, corpus.valid.tokens, corpus.valid.characters, corpus.valid.bytes)
    assert one.figures.bits_per_character == pytest.approx(one.nats_per_token / math.log(2))
    assert all(each.note == "" for each in found.values())
    assert found["kneser-ney-5"].nats_per_token < found["bigram"].nats_per_token < found["unigram"].nats_per_token


def test_sequences_begin_anew_and_their_ends_are_scored(tmp_path: Path) -> None:
    lines = [" ".join(["red", "green", "blue"][: 1 + (i * i) % 3] * (1 + i % 2)) for i in range(60)]
    corpus = load_text(lines, DataSettings(sequences="lines", split="80,20"), cache=tmp_path)
    end, size = corpus.tokenizer.specials[".end"], corpus.tokenizer.size

    def sequences(part) -> list[list[int]]:
        return [[*one.tolist(), end] for one in np.split(part.ids, part.starts[1:])]

    slow = SlowKneserNey(sequences(corpus.train), size, 5)
    nats = [each for one in sequences(corpus.valid) for each in slow.nats(one, begins=True)]
    assert len(nats) == corpus.valid.tokens + corpus.valid.sequences
    found = baselines(corpus)["kneser-ney-5"]
    assert found.nats_per_token == pytest.approx(np.mean(nats), abs=1e-10)
    expected_bits = sum(nats) / math.log(2) / sum(len(corpus.tokenizer.decode(one)) for one in sequences(corpus.valid))
    assert found.figures.bits_per_character == pytest.approx(expected_bits, abs=1e-9)


def test_a_formal_language_is_approached_but_not_beaten(tmp_path: Path) -> None:
    corpus = load_corpus("ndfa", DataSettings(samples=3_000), cache=tmp_path)
    found = baselines(corpus)
    scored = corpus.valid.tokens + corpus.valid.sequences
    five = found["kneser-ney-5"].nats_per_token * scored / corpus.valid.sequences
    drawn = [0.0]
    for one in np.split(corpus.valid.ids, corpus.valid.starts[1:]):
        n = (len(one) - 2) // 4
        drawn.append(-math.log(1 / 4 * (3 / 4) ** n / (3 if n else 1)))
    floor = sum(drawn) / corpus.valid.sequences
    assert floor < five < floor + 0.2


def test_a_long_text_is_cut_and_the_note_says_so(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassloom.data.baselines.excerpt.MOST_TRAIN_BYTES", 4_000)
    monkeypatch.setattr("glassloom.data.baselines.excerpt.MOST_HELD_OUT_TOKENS", 500)
    found = baselines(corpus)["bigram"]
    kept = corpus.train.tokens * 4_000 // corpus.train.bytes
    expected = KneserNey.fit(corpus.train.ids[-kept:], corpus.tokenizer.size, 2).nats(corpus.valid.ids[:500])
    assert found.nats_per_token == pytest.approx(expected.mean(), abs=1e-12)
    assert found.note == "counted on the last 0.004 MB of train; scored on the first 500 tokens of valid"
    assert found.figures.bits_per_character == pytest.approx(found.nats_per_token / math.log(2))
    assert found.as_dict()["note"] == found.note


def test_of_long_sequences_whole_ones_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["abcdefgh"[: 1 + i % 8] for i in range(100)]
    corpus = load_text(lines, DataSettings(sequences="lines", split="50,50"), cache=tmp_path)
    monkeypatch.setattr("glassloom.data.baselines.excerpt.MOST_TRAIN_BYTES", 50)
    monkeypatch.setattr("glassloom.data.baselines.excerpt.MOST_HELD_OUT_TOKENS", 20)
    found = baselines(corpus)["unigram"]
    end = corpus.tokenizer.specials[".end"]
    train = list(np.split(corpus.train.ids, corpus.train.starts[1:]))
    while sum(map(len, train)) > 50:
        train.pop(0)
    valid, kept = np.split(corpus.valid.ids, corpus.valid.starts[1:]), []
    while sum(map(len, kept)) + len(valid[len(kept)]) <= 20:
        kept.append(valid[len(kept)])
    slow = SlowKneserNey([[*one.tolist(), end] for one in train], corpus.tokenizer.size, 1)
    expected = [each for one in kept for each in slow.nats([*one.tolist(), end], begins=True)]
    assert found.nats_per_token == pytest.approx(np.mean(expected), abs=1e-10)


def test_what_is_cached_is_not_computed_again(corpus: Corpus) -> None:
    assert cached(corpus.cache) == {}
    first = baselines(corpus)
    assert cached(corpus.cache) == first
    path = corpus.cache / "baselines-valid.json"
    path.write_text(path.read_text().replace(str(first["xz"].nats_per_token), "1.25"))
    assert baselines(corpus)["xz"].nats_per_token == 1.25


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"version": ', '"version": 9'),
        lambda text: json.dumps({**json.loads(text), "baselines": {"uniform": {"nats_per_token": "much"}}}),
        lambda text: json.dumps({**json.loads(text), "baselines": 3}),
        lambda text: text.replace('"uniform"', '"unifrom"'),
    ],
)
def test_a_damaged_cache_is_computed_anew(corpus: Corpus, damage: Callable[[str], str]) -> None:
    first = baselines(corpus)
    path = corpus.cache / "baselines-valid.json"
    path.write_text(damage(path.read_text()))
    assert cached(corpus.cache) != first
    assert baselines(corpus) == first
    assert cached(corpus.cache) == first


def test_an_empty_or_unknown_split_is_refused(corpus: Corpus) -> None:
    with pytest.raises(CorpusError, match="test split is empty"):
        baselines(corpus, "test")
    with pytest.raises(SettingError, match="did you mean valid"):
        baselines(corpus, "vaild")
    shutil.rmtree(corpus.cache)
    with pytest.raises(CorpusError, match="no prepared corpus"):
        baselines(corpus)


def test_the_strongest_baseline_passed_is_named() -> None:
    known = {name: Baseline(name, figures(nats, tokens=1)) for name, nats in zip(NAMES, (4, 3, 2, 1, 1.5), strict=True)}
    assert passed(4.0, known) is None
    assert passed(2.5, known) == "unigram"
    assert passed(1.2, known) == "xz"
    assert passed(0.9, known) == "kneser-ney-5"
    assert passed(0.9, {}) is None


def test_baselines_import_no_torch() -> None:
    code = "import sys, glassloom.data.baselines, glassloom.data.languages; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_shakespeare_by_characters_is_below_the_reference(data_folder: Path, tmp_path: Path) -> None:
    corpus = load_corpus(data_folder / "shakespeare.txt", DataSettings(split="90,10"), cache=tmp_path)
    model = KneserNey.fit(corpus.train.ids, corpus.tokenizer.size)
    assert model.nats(corpus.valid.ids).mean() == pytest.approx(1.5611, abs=1e-3)  # the reference's n-gram has 1.669
