"""A text that is read with the tokenizer of another one: what that lacks is named, and can be left out."""

from pathlib import Path

import pytest

import glassloom
from commands import TINY, Commands
from glassloom.data import DataSettings, load_corpus
from glassloom.data.tokenizers import CharTokenizer
from glassloom.errors import Notice, TokenizerError

ZEN = "Beautiful is better than ugly.\nExplicit is better than implicit.\nSimple is better than complex.\n"
TEXT = ZEN * 30


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own, with a text in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")


def test_a_text_with_symbols_that_the_runs_tokenizer_lacks_is_refused_or_read_without_them(commands: Commands) -> None:
    commands.done("train", "text.txt", "--name", "first", *TINY)
    other = TEXT.replace("ugly", "Ügl¥").replace("complex", "complé×¡")
    Path("other.txt").write_text(other, encoding="utf-8")
    for arguments in (["evaluate", "first", "--corpus", "other.txt"], ["train", "other.txt", "--from", "first"]):
        said = commands.refused(*arguments)
        assert "5 symbols that the tokenizer lacks: '¡' U+00A1, '¥' U+00A5, '×' U+00D7, 'Ü' U+00DC, 'é' U+00E9" in said
        assert "(150 times, first at character 25)" in said
        assert "--skip-unknown" in said
    scored = commands.done("evaluate", "first", "--corpus", "other.txt", "--skip-unknown", "--split", "test", "--json")
    assert len(scored.notices) == 1
    assert scored.notices[0].endswith("(150 times, first at character 25); it was read without them.")
    left = other[-146:]  # a twentieth of 2,910 characters
    assert scored.json["tokens"] == sum(symbol in TEXT for symbol in left)
    again = commands.done("evaluate", "first", "--corpus", "other.txt", "--skip-unknown", "--split", "test", "--json")
    assert (again.json, again.notices) == (scored.json, scored.notices)
    tuned = ("train", "other.txt", "--from", "first", "--skip-unknown", "--name", "second", *TINY)
    assert len(commands.done(*tuned).notices) == 1
    own = commands.done("evaluate", "second", "--split", "test", "--json").json
    assert own["tokens"] == scored.json["tokens"]
    commands.done(*tuned, "--resume")


def test_a_text_without_some_symbols_is_not_the_same_text(tmp_path: Path) -> None:
    tokenizer = CharTokenizer("ab")
    path = tmp_path / "abc.txt"
    path.write_text("abc" * 40, encoding="utf-8")
    with pytest.warns(Notice, match="'c' U\\+0063 .40 times, first at character 2.; it was read without it"):
        skipped = load_corpus(path, DataSettings(skip_unknown=True, split="50,50"), tokenizer=tokenizer)
    assert skipped.train.ids.tolist() == [0, 1] * 20
    assert (skipped.train.characters, skipped.valid.bytes) == (40, 40)
    whole = load_corpus(path, DataSettings(split="50,50"), tokenizer=CharTokenizer("abc"))
    assert whole.sha256 == skipped.sha256
    assert whole.fingerprint != skipped.fingerprint
    with pytest.raises(TokenizerError, match="--skip-unknown"):
        load_corpus(path, DataSettings(split="50,50"), tokenizer=tokenizer)
    with pytest.warns(Notice, match="read without it"):
        again = load_corpus(path, DataSettings(skip_unknown=True, split="50,50"), tokenizer=tokenizer)
    assert again.fingerprint == skipped.fingerprint
    plain = load_corpus(path.rename(tmp_path / "again.txt"), DataSettings(skip_unknown=True, split="50,50"))
    assert plain.fingerprint == whole.fingerprint, "where nothing is left out it is the same text"


def test_from_python_too_and_a_text_given_as_such_is_read_as_the_origins_was() -> None:
    tiny = {"width": 8, "layers": 1, "steps": 2, "batch_size": 4, "sequence_length": 16, "threads": 1, "lr": 1e-3}
    first = glassloom.train("text.txt", "gru", name="first", lowercase=True, **tiny).run
    own = {name: value for name, value in tiny.items() if name not in ("width", "layers")}
    second = glassloom.train(TEXT.upper(), name="second", start_from=first.path, **own).run
    assert second.config.data.lowercase
    with pytest.raises(TokenizerError, match=r"'!' U\+0021 .90 times"):
        glassloom.train(TEXT.replace(".", "!"), start_from=first.path, **own)
    with pytest.warns(Notice, match="'!' U\\+0021 .90 times, first at character 29.; it was read without it"):
        third = glassloom.train(TEXT.replace(".", "!"), name="third", start_from=first.path, skip_unknown=True, **own)
    assert third.run.corpus["sizes"]["train"]["characters"] == 2592 - 81
    with pytest.warns(Notice, match="read without it"):
        score = glassloom.evaluate(first, "test", corpus=TEXT.replace(".", "!"), skip_unknown=True)
    assert score.tokens == 144 - 5
