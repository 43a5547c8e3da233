"""Words that a vocabulary lacks are spelt: the price of a spelling, that it is a code, and what figures make of it."""

import itertools
import json
import math
from pathlib import Path

import pytest

from glassloom.data import DataSettings, load_text, reopen_corpus
from glassloom.data.baselines import baselines
from glassloom.data.spelling import END, Speller
from glassloom.data.store import FACTS, facts_sha256
from glassloom.models import build
from glassloom.training import evaluate_split

TEXT = "the cat sat on the mat\nthe dog sat on the cat\n" * 20 + "a zebra saw the mat\nthe zebra saw Ω\n"
CLOSED = {"tokenizer": "word", "split": "95,5"}


def test_the_price_of_a_spelling_by_hand() -> None:
    """One word, a: every n-gram was seen once, so each discount is the customary half."""
    speller = Speller(["a"])
    uniform = 1 / (END + 1)
    first = (0.5 + 1.0 * uniform) / 2  # of a, and of the end: two kinds of symbol, a half of each set free
    after_start = 0.5 + 0.5 * first  # a at the start of a word
    after_a = 0.5 + 0.5 * first  # the end after a
    whole = 0.5 + 0.5 * after_a  # the end after the start and a
    assert speller.nats(["a"])[0] == pytest.approx(-math.log(after_start) - math.log(whole))
    unseen = 0.5 * (1.0 * uniform) / 2  # b at the start; after b nothing is known, so the end has its own share
    assert speller.nats(["b"])[0] == pytest.approx(-math.log(unseen) - math.log(first))
    assert len(speller.nats([])) == 0


def test_all_spellings_together_are_no_more_probable_than_one() -> None:
    """A proper code: over two letters and the end, all words up to a length; those that go on have what is left."""
    speller = Speller(["ab", "abba", "b", "bab"])
    sums = []
    for longest in (1, 4, 8, 11):
        words = ["".join(word) for length in range(longest + 1) for word in itertools.product("ab", repeat=length)]
        sums.append(sum(math.exp(-nats) for nats in speller.nats(words)))
    assert sums == sorted(sums)
    assert 0.9 < sums[-1] <= 1.0


@pytest.mark.parametrize("sequences", ["stream", "lines"])
def test_bits_count_the_spelling_of_every_unknown_word_and_nats_do_not(sequences: str) -> None:
    corpus = load_text(TEXT, DataSettings(sequences=sequences, **CLOSED))
    assert corpus.valid.spelling.tokens == int((corpus.valid.ids == corpus.tokenizer.specials["<unk>"]).sum()) > 0
    assert corpus.train.spelling.tokens == 0
    known = [word for word in corpus.tokenizer.words if word not in ("<unk>", "<eos>")]
    words = ["a", "zebra", "saw", "zebra", "saw", "Ω"]
    assert sorted(known) == ["cat", "dog", "mat", "on", "sat", "the"]
    spelling = float(Speller(known).nats(words).sum())
    assert corpus.valid.spelling.nats == pytest.approx(spelling)
    found = evaluate_split(build("gru", corpus.tokenizer.size), corpus)
    tokens = found.figures.nats_per_token * found.tokens
    assert found.figures.bits_per_character == pytest.approx(
        (tokens + spelling) / math.log(2) / corpus.valid.characters
    )
    assert found.figures.bits_per_byte == pytest.approx((tokens + spelling) / math.log(2) / corpus.valid.bytes)
    assert found.spelling_share == pytest.approx(spelling / (tokens + spelling))
    uniform = baselines(corpus)["uniform"].figures
    scored = found.tokens * math.log(corpus.tokenizer.size)
    assert uniform.bits_per_character == pytest.approx((scored + spelling) / math.log(2) / corpus.valid.characters)


def test_a_part_of_a_split_pays_for_the_unknown_words_that_stand_in_it() -> None:
    corpus = load_text(TEXT, DataSettings(**CLOSED))
    model = build("gru", corpus.tokenizer.size)
    marks = (corpus.valid.ids == corpus.tokenizer.specials["<unk>"]).tolist()
    for tokens in (marks.index(True), marks.index(True) + 1, len(marks)):
        found = evaluate_split(model, corpus, tokens=tokens)
        assert found.spelling_nats == pytest.approx(corpus.valid.spelling.nats * sum(marks[:tokens]) / sum(marks))


def test_a_text_that_says_unk_itself_loses_nothing_by_it() -> None:
    text = "the <unk> sat on the mat\nthe <unk> sat on the <unk>\n" * 20
    open_text = load_text(text, DataSettings(tokenizer="word"))
    assert (open_text.valid.ids == open_text.tokenizer.specials["<unk>"]).sum() > 0
    assert open_text.valid.spelling.nats == 0
    mixed = load_text(text + "a <unk> sat\n", DataSettings(tokenizer="word", split="90,10"))
    lacking = [word for word in mixed.tokenizer.words if word not in ("<unk>", "<eos>")]
    held_out = (text + "a <unk> sat\n")[-mixed.valid.characters :].split()
    words = [word for word in held_out if word not in lacking]
    assert {"a", "<unk>"} <= set(words)
    assert mixed.valid.spelling.tokens == len(words)
    assert mixed.valid.spelling.nats == pytest.approx(float(Speller(lacking).nats(words).sum()))


@pytest.mark.parametrize("tokenizer", ["char", "byte", "bpe:300"])
def test_a_vocabulary_that_has_every_symbol_is_charged_nothing(tokenizer: str) -> None:
    corpus = load_text(TEXT, DataSettings(tokenizer=tokenizer, split="95,5"))
    assert (corpus.valid.spelling.tokens, corpus.valid.spelling.nats) == (0, 0.0)


def test_unknown_characters_of_another_text_are_charged_too() -> None:
    own = load_text("abab\nbaba\n" * 10, DataSettings(sequences="lines"))
    other = load_text("abxb\nbabx\nabab\n" * 10, DataSettings(sequences="lines"), tokenizer=own.tokenizer)
    marks = sum(int((part.ids == own.tokenizer.specials[".unk"]).sum()) for part in (other.train, other.valid))
    spelt = [part.spelling for part in (other.train, other.valid)]
    assert sum(one.tokens for one in spelt) == marks > 0
    assert sum(one.nats for one in spelt) == pytest.approx(marks * float(Speller(["a", "b"]).nats(["x"])[0]))


def test_the_last_word_of_a_sequence_does_not_run_on_into_the_next_one() -> None:
    corpus = load_text(["a cat", "the dog"] * 20, DataSettings(tokenizer="word", sequences="lines"))
    assert sorted(corpus.tokenizer.words) == ["<eos>", "<unk>", "a", "cat", "dog", "the"]
    assert corpus.train.spelling.tokens == corpus.valid.spelling.tokens == 0


def test_a_text_prepared_before_spellings_were_known_is_made_anew_and_until_then_has_no_bits(tmp_path: Path) -> None:
    corpus = load_text(TEXT, DataSettings(**CLOSED), cache=tmp_path)
    facts = json.loads((corpus.cache / FACTS).read_text())
    del facts["sha256_of_facts"]
    for split in facts["splits"].values():
        del split["spelling"]
    (corpus.cache / FACTS).write_text(json.dumps({**facts, "sha256_of_facts": facts_sha256(facts)}))
    old = reopen_corpus(corpus.describe(), tmp_path)
    assert old is not None
    found = evaluate_split(build("gru", corpus.tokenizer.size), old)
    assert (found.figures.bits_per_character, found.spelling_nats) == (None, None)
    again = load_text(TEXT, DataSettings(**CLOSED), cache=tmp_path)
    assert again.fingerprint == corpus.fingerprint
    assert again.valid.spelling == corpus.valid.spelling
