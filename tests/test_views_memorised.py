"""The memorisation meter against plain searching, for every kind of symbol, and over a run's training."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassloom.data import Corpus, DataSettings, load_text
from glassloom.exhibits import Lines, Texts
from glassloom.views import copies, training_text
from glassloom.views.copies import Piece, longest_matches
from glassloom.views.memorisation import marked, memorisation, memorisation_exhibits
from glassloom.views.memorised import AT_LEAST, Stretch, memorised
from glassloom.views.training_text import symbols_of, train_pieces
from trainings import small, train

HEBREW = "שָׁלוֹם עוֹלָם, הַכֹּל טוֹב! "


def plainly(sample: str, text: str) -> list[int]:
    """The length of the longest stretch from each place, by trying every one."""
    return [
        next(length for length in range(len(sample) - at, -1, -1) if sample[at : at + length] in text)
        for at in range(len(sample))
    ]


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")


def pieces(text: str, size: int, longest: int) -> list[Piece]:
    codes = numbers(text)
    return [Piece(at, codes[at : at + size + longest], min(size, len(codes) - at)) for at in range(0, len(codes), size)]


def whole_text(corpus: Corpus) -> str:
    return corpus.text("train")


@given(st.lists(st.text("ab ", max_size=12), max_size=4), st.text("abc ", max_size=60), st.integers(1, 7))
def test_every_longest_match_is_found_and_stands_where_it_is_said_to(samples: list[str], text: str, size: int) -> None:
    longest = max(map(len, samples), default=0)
    found = longest_matches([numbers(sample) for sample in samples], pieces(text, size, longest))
    for sample, matches in zip(samples, found, strict=True):
        assert matches.lengths.tolist() == plainly(sample, text)
        for at, (length, place) in enumerate(zip(matches.lengths, matches.places, strict=True)):
            assert text[place : place + length] == sample[at : at + length] if length else place == -1


def test_searching_a_large_alphabet_and_indexing_a_small_one_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    text = rng.integers(0, 6, 4000).astype(np.uint8)
    samples = [text[100:160], rng.integers(0, 7, 50).astype(np.uint8)]
    indexed = longest_matches(samples, [Piece(0, text, len(text))])
    monkeypatch.setattr(copies, "DENSE", 0)
    searched = longest_matches(samples, [Piece(0, text, len(text))])
    for one, other in zip(indexed, searched, strict=True):
        assert one.lengths.tolist() == other.lengths.tolist()
        assert one.places.tolist() == other.places.tolist()
    assert indexed[0].lengths[0] == 60
    assert indexed[0].places[0] == 100


def test_the_longest_copy_and_the_share_are_as_counted_by_hand() -> None:
    corpus = load_text("the cat sat on the mat. a dog ran to the sea. " * 2 + "z", DataSettings(split="96,2,2"))
    sample = "XXcat sat onYY dog ran to theZZcat"  # copies of 10, 15 (with the blank before it) and 3 symbols
    found = memorised([sample, "", "??"], corpus, at_least=8)
    first, empty, strange = found.samples
    assert [sample[stretch.start : stretch.end] for stretch in first.stretches] == ["cat sat on", " dog ran to the"]
    assert [
        whole_text(corpus)[stretch.place : stretch.place + stretch.end - stretch.start] for stretch in first.stretches
    ] == ["cat sat on", " dog ran to the"]
    assert first.longest_copy == 15
    assert first.covered == 25
    assert first.share == pytest.approx(25 / 34)
    assert (empty.longest, empty.share) == (None, 0.0)
    assert (strange.longest_copy, strange.share) == (0, 0.0)
    assert found.share == pytest.approx(25 / 36)
    assert found.longest_copy == 15


def test_copies_that_overlap_are_counted_once() -> None:
    corpus = load_text("abcdefgh. defghijk. " + "z" * 300)
    [found] = memorised(["abcdefghijk"], corpus, at_least=5).samples
    assert found.stretches == (Stretch(0, 8, 0), Stretch(3, 11, 10))
    assert found.covered == 11


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe:300"])
@pytest.mark.parametrize("size", [1, 7, 50, 1 << 18])
def test_the_train_text_in_pieces_has_the_same_copies(
    monkeypatch: pytest.MonkeyPatch, tokenizer: str, size: int, tiny_text: str
) -> None:
    text = (HEBREW + tiny_text[:800] + HEBREW[::-1]) * 2
    corpus = load_text(text, DataSettings(tokenizer=tokenizer))
    whole = whole_text(corpus)
    monkeypatch.setattr(training_text, "TOKENS", size)
    samples = [text[3:90], "-" + HEBREW[4:20] + tiny_text[40:75] + "\x00", HEBREW[::-1]]
    found = memorised(samples, corpus, at_least=10)
    assert found.symbols == len(whole)
    parts = [piece.symbols[: piece.own] for piece in train_pieces(corpus, 20)]
    assert np.concatenate(parts).tolist() == [ord(sign) for sign in whole]
    for sample, copied in zip(samples, found.samples, strict=True):
        lengths = plainly(sample, whole)
        assert copied.longest_copy == max(lengths)
        covered = {at + step for at, length in enumerate(lengths) if length >= 10 for step in range(length)}
        assert copied.covered == len(covered)
        for stretch in copied.stretches:
            length = stretch.end - stretch.start
            assert whole[stretch.place : stretch.place + length] == sample[stretch.start : stretch.end]


def test_words_are_compared_where_unknown_ones_hide_the_text() -> None:
    text = "the cat sat on the mat\nthe dog ran to the sea\n" * 20
    corpus = load_text(text, DataSettings(tokenizer="word"))
    sample = "a dog ran to the sea\nthe cat"
    found = memorised([sample], corpus, at_least=4)
    assert (found.unit, AT_LEAST["words"]) == ("words", 8)
    [copied] = found.samples
    assert copied.length == len(symbols_of(sample, corpus.tokenizer)) == 9
    assert copied.longest_copy == 8  # from dog to cat, the line end being a word
    assert sample[slice(*marked(sample, copied, found.unit)[0])] == "dog ran to the sea\nthe cat"
    labels = corpus.tokenizer.labels()
    place = copied.longest.place
    assert [labels[index] for index in corpus.train.ids[place : place + 2]] == ["dog", "ran"]


@pytest.mark.parametrize("size", [5, 1 << 18])
def test_no_copy_crosses_from_one_sequence_into_the_next(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    lines = [f"line {number} of the text" for number in range(30)]
    corpus = load_text(lines, DataSettings(sequences="lines", split="80,10,10"))
    monkeypatch.setattr(training_text, "TOKENS", size)
    first, second = (corpus.text("train", *span) for span in ((0, 18), (18, 36)))
    assert first == lines[0]
    found = memorised([first + second, second], corpus, at_least=10)
    assert found.samples[0].longest_copy == 18
    assert found.samples[1].longest.place == 19  # one border lies before it
    assert found.symbols == corpus.train.tokens + corpus.train.sequences


def test_what_chance_would_share_follows_from_the_frequencies() -> None:
    text = "".join(np.random.default_rng(0).choice(list("abcd"), 20000).tolist())
    corpus = load_text(text[:10000])
    samples = [text[at : at + 200] for at in range(10000, 20000, 200)]
    found = memorised(samples, corpus)
    assert found.by_chance == pytest.approx(math.log(9000 * 10000) / math.log(4), rel=1e-3)
    assert abs(found.longest_copy - found.by_chance) < 4
    assert found.share == 0.0


def test_only_the_first_tokens_are_searched_where_that_is_asked_for(tiny_text: str) -> None:
    corpus = load_text(tiny_text[:3000])
    late = tiny_text[2000:2100]
    assert memorised([late], corpus).longest_copy == 100
    cut = memorised([late], corpus, most_tokens=1900)
    assert cut.longest_copy < 60
    assert cut.symbols == 1900


def test_a_run_is_metered_over_its_training(tmp_path: Path, tiny_text: str) -> None:
    corpus = load_text(tiny_text[:3000])
    plan = small("gru", steps=4, sample_every=2, sample_length=40, sample_temperature=0.5)
    run = train(corpus, tmp_path, **plan).run
    copy = {"step": 6, "prompt": "a", "text": "?" + tiny_text[100:160] + "?" + tiny_text[200:240]}
    run.log_sample(copy)
    found = memorisation({"gru": run}, corpus)["gru"]
    assert found.steps == (*(sample["step"] for sample in run.samples()[:-1]), 6)
    assert len(found.held_out.samples) == len(found.written.samples)
    assert [each.length for each in found.held_out.samples] == [each.length for each in found.written.samples]
    last = found.written.samples[-1]
    assert last.longest_copy == 60
    assert last.share == pytest.approx(100 / 102)
    longest, share, texts = memorisation_exhibits({"gru": found})
    assert isinstance(longest, Lines)
    assert longest.series[0].y[-1] == 60
    assert set(longest.marks) == {"by chance", "held-out text"}
    assert isinstance(share, Lines)
    assert share.series[0].y[-1] == last.share
    assert isinstance(texts, Texts)
    assert [copy["text"][slice(*span)] for span in texts.texts[0].marked] == [tiny_text[100:160], tiny_text[200:240]]
    assert "60 characters, which stand in train at character 101" in texts.texts[0].note
    assert memorisation_exhibits({}) == []
    (run.path / "samples.jsonl").unlink()
    assert memorisation({"gru": run}, corpus) == {}


def test_sequences_are_compared_with_whole_held_out_ones(tmp_path: Path) -> None:
    lines = [f"line {number} of the text" for number in range(30)]
    corpus = load_text(lines, DataSettings(sequences="lines", split="80,10,10"))
    run = train(corpus, tmp_path, **small("gru", steps=2, sample_length=12)).run
    run.log_sample({"step": 2, "prompt": "", "text": "line 3 of the text"})
    found = memorisation({"run": run}, corpus)["run"]
    assert found.held_out.samples
    assert max(each.length for each in found.held_out.samples) <= 18
    assert found.written.samples[-1].longest_copy == 18
