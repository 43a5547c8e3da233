"""What can be read is read, with a notice where it is odd; what cannot is refused with what to do."""

import io
import os
import subprocess
import sys
import tracemalloc
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassloom.data import Corpus, DataSettings, load_corpus, load_text
from glassloom.data.decoding import CHUNK, Oddities, decode_bytes, transform
from glassloom.data.store import storing
from glassloom.data.watching import telling
from glassloom.errors import CorpusError, Notice, SettingError, StorageError

HALVES = DataSettings(split="50,50")
TEXT = "Some lines of text,\nof which there are several.\n" * 20


class Dripping(io.BytesIO):
    """A file that gives a few bytes at a time, as one that is larger than a chunk does."""

    def __init__(self, data: bytes, amount: int) -> None:
        super().__init__(data)
        self.amount = amount

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self.amount)


def decoded(data: bytes, encoding: str = "auto", amount: int = CHUNK) -> str:
    return "".join(decode_bytes(Dripping(data, amount), encoding, "it", Oddities()))


def whole(corpus: Corpus) -> str:
    return corpus.text("train") + corpus.text("valid") + corpus.text("test")


@given(
    text=st.text(alphabet="aé🙂\r\n \x00"),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]),
    amount=st.integers(4, 9),
)
def test_bytes_in_any_pieces_give_the_same_text(text: str, encoding: str, amount: int) -> None:
    assert decoded(text.encode(encoding), encoding, amount) == text.replace("\r\n", "\n")


@given(
    text=st.text(alphabet="aΣΑé\u0301\u0327 \nx가\u1100\u1161\u11a8İ'.", max_size=40),
    settings=st.builds(
        DataSettings, lowercase=st.booleans(), normalize=st.sampled_from(["none", "NFC", "NFD", "NFKC", "NFKD"])
    ),
    size=st.integers(1, 5),
)
def test_lower_case_and_normalisation_of_pieces_equal_those_of_the_whole(
    text: str, settings: DataSettings, size: int
) -> None:
    expected = text.lower() if settings.lowercase else text
    expected = expected if settings.normalize == "none" else unicodedata.normalize(settings.normalize, expected)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert "".join(transform(pieces, settings)) == expected


@pytest.mark.parametrize("amount", [4, 7, CHUNK])
def test_the_offset_of_a_byte_that_is_no_text_is_named(amount: int) -> None:
    with pytest.raises(CorpusError, match=r"it is not UTF-8: byte 11 \(0xFF\).*--encoding latin-1"):
        decoded("héllo wörl".encode()[:11] + b"\xff and more", amount=amount)
    with pytest.raises(CorpusError, match=r"byte 4 \(0xC3\)"):
        decoded(b"abcd\xc3", amount=amount)


def test_a_file_that_is_not_utf_8_is_read_with_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(("é" + TEXT).encode("latin-1"))
    with pytest.raises(CorpusError, match=r"latin\.txt is not UTF-8: byte 0 \(0xE9\).*--encoding latin-1"):
        load_corpus(path)
    assert whole(load_corpus(path, DataSettings(encoding="latin-1"))) == "é" + TEXT


@pytest.mark.parametrize(
    ("encoding", "says"),
    [
        ("utf-8-sig", "begins with a byte-order mark; it was dropped"),
        ("utf-16", "is UTF-16, as its byte-order mark says"),
        ("utf-32", "is UTF-32, as its byte-order mark says"),
    ],
)
def test_a_byte_order_mark_is_understood_with_a_notice(tmp_path: Path, encoding: str, says: str) -> None:
    path = tmp_path / "marked.txt"
    path.write_bytes(TEXT.encode(encoding))
    os.utime(path, (1_000_000_000, 1_000_000_000))
    for _ in range(2):
        with pytest.warns(Notice, match=says) as notices:
            corpus = load_corpus(path)
        assert len(notices) == 1
        assert whole(corpus) == TEXT


def test_windows_line_ends_become_line_ends_with_a_notice(tmp_path: Path) -> None:
    path = tmp_path / "windows.txt"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    with pytest.warns(Notice, match=r"windows\.txt has Windows line ends"):
        assert whole(load_corpus(path)) == TEXT
    for text in ("a\r\nb\n" * 20, ["a\r", "\nb\n"] * 20):
        with pytest.warns(Notice, match="text has Windows line ends"):
            assert whole(load_text(text)) == "a\nb\n" * 20


def test_nul_and_control_characters_are_kept_with_a_notice() -> None:
    with pytest.warns(
        Notice, match=r"control characters, which were kept: U\+0000, U\+001B \(U\+0000 is NUL"
    ) as notices:
        corpus = load_text(TEXT + "\0\x1b[31m", HALVES)
    assert len(notices) == 1
    assert whole(corpus).endswith("\0\x1b[31m")


def test_markup_stays_text() -> None:
    assert whole(load_text("</script><b>&amp;" * 9, HALVES)) == "</script><b>&amp;" * 9


def test_a_lone_surrogate_is_refused_by_name() -> None:
    with pytest.raises(CorpusError, match=r"lone surrogate, U\+D800, at character 3"):
        load_text("abc\ud800")
    with pytest.raises(CorpusError, match=r"lone surrogate, U\+DFFF, at character 6"):
        load_text(iter(["abc", "def\udfff"]))
    with pytest.raises(CorpusError, match=r"lone surrogate, U\+D800, at character 3"):
        load_text(["abc", "\ud800"], DataSettings(sequences="lines"))


def test_the_first_character_of_a_string_is_no_byte_order_mark() -> None:
    assert whole(load_text("\ufeffab" * 20)) == whole(load_text(iter(["\ufeffab"] * 20))) == "\ufeffab" * 20


def test_what_is_no_string_is_refused() -> None:
    with pytest.raises(CorpusError, match="of type int"):
        load_text(["abc", 3])  # type: ignore[list-item]


def test_a_missing_file_is_named_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_text(TEXT)
    with pytest.raises(CorpusError, match=r"no file or folder .*poem\.txt.*did you mean poems\.txt"):
        load_corpus(str(tmp_path / "poem.txt"))


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(CorpusError, match=r"called 'shakespear'.*did you mean shakespeare"):
        load_corpus("shakespear")
    with pytest.raises(CorpusError, match="name of the corpus is empty"):
        load_corpus("")


def test_a_listed_name_wins_over_a_file_unless_it_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("ndfa", "mine"):
        Path(name).write_text(TEXT)
    assert load_corpus("ndfa", DataSettings(samples=20)).entropy_nats_per_sequence is not None
    assert whole(load_corpus("./ndfa")) == TEXT
    assert whole(load_corpus("mine")) == TEXT


@pytest.mark.parametrize(
    ("text", "says"), [("", "is empty"), ("x", "has only one character"), ("xy", "has a single token")]
)
def test_a_text_that_is_too_short_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "short.txt"
    path.write_text(text)
    with pytest.raises(CorpusError, match=says):
        load_corpus(path)
    with pytest.raises(CorpusError, match=says):
        load_text(text)


def test_a_folder_is_split_by_whole_files_and_what_is_no_text_is_skipped_with_one_notice(tmp_path: Path) -> None:
    folder = tmp_path / "book"
    (folder / "part").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("hidden")
    for number in range(10):
        (folder / "part" / f"{number}.txt").write_text(f"chapter {number}")
    (folder / "picture.png").write_bytes(b"\x89PNG\x00\x01")
    (folder / "latin.txt").write_bytes(b"caf\xe9")
    (folder / "empty.txt").write_text("")
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere")
    with pytest.warns(
        Notice, match=r"2 files of .* skipped, being no readable text: latin\.txt, picture\.png"
    ) as notices:
        corpus = load_corpus(folder)
    assert len(notices) == 1
    assert whole(corpus) == "".join(f"chapter {number}\n" for number in range(10))
    assert corpus.text("valid") == "chapter 8\n"
    assert corpus.text("test") == "chapter 9\n"
    assert corpus.split_rule.startswith("by whole files: train 8 (80.0%")
    with pytest.warns(Notice, match="skipped"):
        assert load_corpus(folder, DataSettings(split="70,30")).text("test") == ""


def test_a_folder_that_names_its_splits_is_split_so(tmp_path: Path) -> None:
    for name, text in (("my.train.txt", "train " * 9), ("my.valid.txt", "rain "), ("my.test.txt", "tan ")):
        (tmp_path / name).write_text(text)
    corpus = load_corpus(tmp_path)
    assert (corpus.text("train")[:5], corpus.text("valid"), corpus.text("test")) == ("train", "rain \n", "tan \n")


def test_a_folder_with_one_file_is_split_inside_it(tmp_path: Path) -> None:
    (tmp_path / "only.txt").write_text(TEXT)
    assert load_corpus(tmp_path).split_rule == "90/5/5, contiguous"


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\x00")
    with pytest.raises(CorpusError, match="no text that can be read"):
        load_corpus(tmp_path)


def test_standard_input_is_read_once_and_kept(tmp_path: Path) -> None:
    code = "from glassloom.data import load_corpus; c = load_corpus('-'); print(c.name, c.train.tokens, c.valid.tokens)"
    shown = subprocess.run([sys.executable, "-c", code], input=TEXT, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == ["stdin", "864", "48"]


def test_an_unknown_encoding_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(SettingError, match=r"called 'latn-1'.*did you mean latin-1"):
        DataSettings(encoding="latn-1")
    with pytest.raises(SettingError, match="no text encoding"):
        DataSettings(encoding="base64")


def test_a_cache_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="GLASSLOOM_CACHE"):
        load_text(TEXT, cache=tmp_path / "file" / "cache")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_told_as_such() -> None:
    with (
        pytest.raises(StorageError, match="No room left on the disk"),
        storing(Path("/dev/full")),
        open("/dev/full", "w", buffering=1) as file,
    ):
        file.write("more than fits\n")


def test_an_iterator_is_never_held_as_a_whole() -> None:
    tracemalloc.start()
    try:
        load_text("some words of a line\n" * 50_000 for _ in range(60))
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()


def test_whoever_is_to_be_told_hears_how_far_the_preparation_is(tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    (tmp_path / "text.txt").write_text("a line of words\n" * 500, encoding="utf-8")
    with telling(lambda what, fraction: heard.append((what, fraction))):
        load_corpus(tmp_path / "text.txt")
    assert heard
    assert all(0 <= fraction <= 1 for _, fraction in heard)
    assert heard[-1][1] == 1
    count = len(heard)
    load_corpus(tmp_path / "text.txt", DataSettings(lowercase=True))
    assert len(heard) == count, "nobody is told after the block"
