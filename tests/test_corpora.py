"""The listed corpora have exactly the sizes of the literature; splits, options and the cache do what they say."""

import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from glassloom.data import Corpus, DataSettings, load_corpus, load_text
from glassloom.data.corpora import CORPORA, listing, names
from glassloom.data.sources import share_out
from glassloom.data.store import DAY_SECONDS
from glassloom.errors import CorpusError, Notice, SettingError, TokenizerError


@pytest.fixture
def listed(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GLASSLOOM_DATA", str(data_folder))
    return data_folder


def tokens(corpus: Corpus) -> tuple[int, int, int]:
    return corpus.train.tokens, corpus.valid.tokens, corpus.test.tokens


@pytest.mark.parametrize(
    ("name", "characters", "symbols"),
    [
        ("shakespeare", 1_115_394, 65),
        ("great-expectations", 989_686, 73),
        ("hebrew", 788_434, 157),
        ("goblin-chapter", 67_997, 68),
    ],
)
def test_a_text_has_as_many_characters_and_symbols_as_is_known(
    listed: Path, name: str, characters: int, symbols: int
) -> None:
    corpus = load_corpus(name)
    assert sum(tokens(corpus)) == characters
    assert corpus.tokenizer.size == symbols
    assert corpus.sha256 == CORPORA[name].files[0].sha256
    text = (listed / CORPORA[name].files[0].path).read_text(encoding="utf-8")
    assert corpus.text("train") + corpus.text("valid") + corpus.text("test") == text


def test_shakespeare_is_split_90_to_10_as_everywhere(listed: Path) -> None:
    corpus = load_corpus("shakespeare")
    assert tokens(corpus) == (1_003_854, 111_540, 0)
    assert corpus.split_rule == "90/10, contiguous"
    assert corpus.train.ids.dtype == np.uint8
    assert isinstance(corpus.train.ids, np.memmap)


def test_penn_treebank_has_10000_words_and_the_known_numbers_of_tokens(listed: Path) -> None:
    corpus = load_corpus("ptb")
    assert corpus.tokenizer.size == 10_000
    assert tokens(corpus) == (929_589, 73_760, 82_430)
    assert corpus.split_rule == "the corpus's own"
    assert corpus.describe()["tokenizer"] == "word"
    assert corpus.text("valid", 0, 5) == "consumers may want to move"


def test_wikitext_2_has_33278_words_and_the_known_numbers_of_tokens(listed: Path) -> None:
    corpus = load_corpus("wikitext-2")
    assert corpus.tokenizer.size == 33_278
    assert tokens(corpus) == (2_088_628, 217_646, 245_569)


def test_the_goblin_chapter_has_196_lines_and_45_symbols_lower_cased(listed: Path) -> None:
    corpus = load_corpus("goblin-chapter", DataSettings(lowercase=True, sequences="lines"))
    assert sum(part.sequences or 0 for part in (corpus.train, corpus.valid, corpus.test)) == 196
    assert load_corpus("goblin-chapter", DataSettings(lowercase=True)).tokenizer.size == 45


def test_reviews_are_sequences_spread_over_the_splits(listed: Path) -> None:
    corpus = load_corpus("reviews")
    counts = [part.sequences for part in (corpus.train, corpus.valid, corpus.test)]
    assert sum(counts) == 10_662
    assert counts == [9596, 533, 533]
    assert list(corpus.tokenizer.specials) == [".pad", ".start", ".end", ".unk"]
    praise = (listed / "reviews/rt-polarity.pos").read_text(encoding="utf-8").split("\n")
    starts = [*corpus.valid.starts, corpus.valid.tokens]
    valid = [corpus.text("valid", start, end) for start, end in itertools.pairwise(starts)]
    praising = sum(sentence in set(praise) for sentence in valid)
    assert abs(praising - len(valid) / 2) <= 1


def test_the_standard_library_is_some_megabytes_split_by_whole_files() -> None:
    corpus = load_corpus("python-stdlib")
    shares = np.array(tokens(corpus)) / sum(tokens(corpus))
    assert sum(tokens(corpus)) > 8_000_000
    assert np.abs(shares - [0.9, 0.05, 0.05]).max() < 0.02
    assert corpus.split_rule.startswith("by whole files: train")
    assert corpus.fingerprint == load_corpus("python-stdlib").fingerprint
    assert corpus.text("valid").endswith("\n")


@pytest.mark.parametrize("name", ["ndfa", "brackets", "toy"])
def test_a_formal_language_is_drawn_afresh_for_each_split(name: str) -> None:
    corpus = load_corpus(name, DataSettings(samples=200))
    assert [part.sequences for part in (corpus.train, corpus.valid, corpus.test)] == [200, 20, 20]
    assert corpus.entropy_nats_per_sequence == corpus.describe()["entropy_nats_per_sequence"]
    assert corpus.text("train", 0, 200) != corpus.text("valid", 0, 200)
    again = load_corpus(name, DataSettings(samples=200))
    assert again.sha256 == corpus.sha256
    assert load_corpus(name, DataSettings(samples=200, language_seed=1)).sha256 != corpus.sha256


def test_the_listing_names_every_corpus_and_says_what_is_at_hand(listed: Path, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in listing(tmp_path)}
    assert list(rows) == names()
    assert [name for name, row in rows.items() if not row["at_hand"]] in ([], ["imdb"])  # too large to lie about
    os.environ.pop("GLASSLOOM_DATA")
    rows = {row["name"]: row for row in listing(tmp_path)}
    assert [name for name, row in rows.items() if not row["at_hand"]] == list(CORPORA)


def test_the_listing_needs_no_torch() -> None:
    code = "import sys; from glassloom.data.corpora import listing; listing(); print('torch' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "False"


TEXT = "".join(f"Line {number:04d} of it.\n" for number in range(200))


def test_every_setting_changes_what_it_should() -> None:
    base = load_text(TEXT)
    assert tokens(base) == (3060, 170, 170)
    assert base.split_rule == "90/5/5, contiguous"
    assert tokens(load_text(TEXT, DataSettings(split="80,20"))) == (2720, 680, 0)
    assert "L" not in load_text(TEXT, DataSettings(lowercase=True)).text()
    assert tokens(load_text(TEXT, DataSettings(first_characters=1000))) == (900, 50, 50)
    assert load_text("e\u0301x" * 20, DataSettings(normalize="NFC", split="50,50")).tokenizer.size == 2
    assert load_text(TEXT, DataSettings(tokenizer="byte")).tokenizer.size == 256
    assert load_text(TEXT, DataSettings(tokenizer="bpe:260")).train.tokens < 3060
    assert load_text(TEXT, DataSettings(tokenizer="word")).train.tokens == 900
    assert load_text(TEXT, DataSettings(tokenizer="word", minimum_count=2)).tokenizer.size == 5
    assert load_text(TEXT, DataSettings(tokenizer="word", vocabulary_size=4)).tokenizer.size == 4
    assert load_text(TEXT, DataSettings(sequences="lines")).train.sequences == 180
    paragraphs = load_text(
        "one\nstill one\n\n\n\ntwo\n\nthree\n\nfour", DataSettings(sequences="paragraphs", split="50,50")
    )
    assert (paragraphs.train.sequences, paragraphs.valid.sequences) == (2, 2)
    assert paragraphs.text("train") == "one\nstill onetwo"


def test_words_come_from_the_train_text_only_and_symbols_from_the_whole() -> None:
    text = "common words here\n" * 9 + "zebra zebra zebra\n"
    words = load_text(text, DataSettings(tokenizer="word", split="90,10"))
    assert "zebra" not in words.tokenizer.to_json()["words"]
    assert "z" in load_text(text, DataSettings(split="90,10")).tokenizer.to_json()["symbols"]


def test_strings_lists_and_iterators_are_the_same_text() -> None:
    pieces = [TEXT[start : start + 7] for start in range(0, len(TEXT), 7)]
    whole = load_text(TEXT)
    assert load_text(pieces).fingerprint == whole.fingerprint
    assert load_text(iter(pieces)).fingerprint == whole.fingerprint


def test_a_list_of_sequences_keeps_each_as_one() -> None:
    corpus = load_text([f"string {n}\nwith two lines" for n in range(20)], DataSettings(sequences="lines"))
    assert corpus.train.sequences == 18
    assert corpus.text("train", 0, 23) == "string 0\nwith two lines"[:23]


def test_another_text_is_read_with_a_given_tokenizer() -> None:
    first = load_text(TEXT)
    other = load_text("Line of it. " * 40, tokenizer=first.tokenizer)
    assert other.tokenizer.sha256 == first.tokenizer.sha256
    assert other.text("train").startswith("Line of it.")
    with pytest.raises(
        TokenizerError, match=r"2 symbols .*'Z' U\+005A, 'é' U\+00E9 \(42 times, first at character 2\)"
    ):
        load_text("ofZ" + "Line é" * 41, tokenizer=first.tokenizer)


def test_the_text_is_tokenized_once_and_then_opened_from_the_cache(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    told: list[tuple[str, float]] = []
    first = load_corpus(path, cache=tmp_path / "cache", progress=lambda *step: told.append(step))
    assert {("reading", 1.0), ("tokenizing", 1.0)} <= set(told)
    stamp = (first.cache / "facts.json").stat().st_mtime_ns
    second = load_corpus(path, cache=tmp_path / "cache")
    assert second.fingerprint == first.fingerprint
    assert (second.cache / "facts.json").stat().st_mtime_ns == stamp


def test_a_text_that_changes_in_the_same_second_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT)
    first = load_corpus(path)
    path.write_text(TEXT.replace("Line", "line"))
    assert load_corpus(path).fingerprint != first.fingerprint


def test_a_damaged_cache_is_made_anew(tmp_path: Path) -> None:
    corpus = load_text(TEXT, cache=tmp_path)
    text = corpus.text()
    for name in ("train.ids", "facts.json", "tokenizer.json"):
        damaged = bytearray((corpus.cache / name).read_bytes())
        damaged[3] ^= 0xFF
        (corpus.cache / name).write_bytes(damaged)
        with pytest.warns(Notice, match="damaged; it was made anew"):
            assert load_text(TEXT, cache=tmp_path).text() == text
    assert [path.name for path in (tmp_path / "prepared").iterdir()] == [corpus.fingerprint]


def test_altered_facts_of_a_prepared_corpus_are_noticed(tmp_path: Path) -> None:
    corpus = load_text(TEXT, cache=tmp_path)
    facts = corpus.cache / "facts.json"
    facts.write_text(facts.read_text().replace('"tokens": 3060', '"tokens": 3059'))
    with pytest.warns(Notice, match="damaged; it was made anew"):
        assert load_text(TEXT, cache=tmp_path).train.tokens == 3060


def test_what_a_killed_process_left_half_made_is_swept_after_a_day(tmp_path: Path) -> None:
    for name, age in ((".tmp-old-01234567", 2 * DAY_SECONDS), (".tmp-new-01234567", 0)):
        (tmp_path / "prepared" / name).mkdir(parents=True)
        os.utime(tmp_path / "prepared" / name, (time.time() - age,) * 2)
    corpus = load_text(TEXT, cache=tmp_path)
    assert {path.name for path in (tmp_path / "prepared").iterdir()} == {".tmp-new-01234567", corpus.fingerprint}


def test_two_processes_at_once_prepare_one_corpus(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TEXT * 50)
    code = (
        "import sys, pathlib; from glassloom.data import load_corpus;"
        "print(load_corpus(pathlib.Path(sys.argv[1]), cache=pathlib.Path(sys.argv[2])).text('valid', 0, 9))"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "cache")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    shown = {process.communicate()[0] for process in running}
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(shown) == 1
    assert len(list((tmp_path / "cache" / "prepared").iterdir())) == 1


def test_a_large_file_is_prepared_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("w", encoding="utf-8") as file:
        for number in range(64):
            file.write(f"{number} שלום é and plain words on a line\n" * 25_000)
    code = (
        "import resource, sys, pathlib; from glassloom.data import load_corpus, load_text;"
        "load_text('warm up ' * 9, cache=pathlib.Path(sys.argv[2]));"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "corpus = load_corpus(pathlib.Path(sys.argv[1]), cache=pathlib.Path(sys.argv[2]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, corpus.train.tokens)"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "cache")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    grown = int(shown[0]) * (1 if sys.platform == "darwin" else 1024)
    assert path.stat().st_size > 64_000_000
    assert grown < path.stat().st_size, f"preparing a file of 64 MB took {grown / 1e6:.0f} MB of memory"


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(SettingError, match="did you mean valid"):
        load_text(TEXT).split("vaild")


@pytest.mark.parametrize("split", ["90", "90,20", "a,b", "90,-5,15", "0,100", "50,25,20,5", "nan,10"])
def test_an_unusable_split_is_refused(split: str) -> None:
    with pytest.raises(SettingError, match="cannot be used"):
        DataSettings(split=split)


@pytest.mark.parametrize(
    ("split", "what"), [("100,0", "is empty"), ("90,3,7", "is empty"), ("98,2", "has a single token")]
)
def test_an_empty_validation_split_says_what_to_do(split: str, what: str) -> None:
    with pytest.raises(CorpusError, match=rf"validation split {what}.*--split 50,50"):
        load_text("a text of no more than 30 signs"[:30], DataSettings(split=split))


def test_a_failed_preparation_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(CorpusError):
        load_text("too short", cache=tmp_path)
    assert list((tmp_path / "prepared").iterdir()) == []


@pytest.mark.parametrize(
    ("sizes", "shares", "counts"),
    [
        ([10] * 20, (0.9, 0.05, 0.05), (18, 1, 1)),
        ([1, 1, 1], (0.9, 0.05, 0.05), (1, 1, 1)),
        ([5, 5], (0.9, 0.05, 0.05), (1, 1, 0)),
        ([1, 99], (0.9, 0.1, 0.0), (1, 1, 0)),
        ([10] * 10, (0.8, 0.2, 0.0), (8, 2, 0)),
    ],
)
def test_whole_files_are_shared_out_near_the_shares(
    sizes: list[int], shares: tuple[float, float, float], counts: tuple[int, int, int]
) -> None:
    splits = share_out(sizes, shares)
    assert splits is not None
    assert tuple(splits.count(split) for split in ("train", "valid", "test")) == counts
