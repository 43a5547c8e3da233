"""Every listed tokenizer keeps the same contract; and each one's own rules."""

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glassloom.data.settings import DataSettings
from glassloom.data.tokenizers import (
    TOKENIZERS,
    BpeTokenizer,
    ByteTokenizer,
    CharTokenizer,
    Evidence,
    Tokenizer,
    WordTokenizer,
    find_tokenizer,
    open_tokenizer,
)
from glassloom.data.tokenizers.base import MARKS
from glassloom.data.tokenizers.bpe import PIECE
from glassloom.errors import Notice, SettingError, TokenizerError

SAMPLE = (
    "Tyger Tyger, burning bright,\n  In the forests of the night;\n\nWhat immortal hand or eye,\n"
    "\tCould frame thy fearful symmetry?\n"
) * 8 + "é ש 🙂 </script> \x00\x1b[31m"


def learned(kind: str, text: str = SAMPLE, marks: tuple[str, ...] = ()) -> Tokenizer:
    symbols = "".join(sorted(set(text)))
    return TOKENIZERS[kind].learn(Evidence(symbols, lambda: [text], 300, marks=marks))


TRAINED = {kind: learned(kind) for kind in TOKENIZERS}
EXACT = ("byte", "bpe")
pieces_of = st.lists(st.text(alphabet=st.sampled_from(sorted(set(SAMPLE))), max_size=30), max_size=12)
any_text = st.text() | st.text(alphabet="ab \n\r\t'é\u2028\u00a0\x1c🙂", max_size=60)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_tokenizer_comes_back_from_plain_json_equal(kind: str) -> None:
    for tokenizer in (TRAINED[kind], learned(kind, marks=MARKS)):
        again = open_tokenizer(json.loads(json.dumps(tokenizer.to_json())))
        assert again.to_json() == tokenizer.to_json()
        assert again.sha256 == tokenizer.sha256
        assert (again.name, again.size, again.specials) == (tokenizer.name, tokenizer.size, tokenizer.specials)
        assert again.encode(SAMPLE).tolist() == tokenizer.encode(SAMPLE).tolist()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_learning_twice_gives_the_same_tokenizer(kind: str) -> None:
    assert learned(kind).sha256 == TRAINED[kind].sha256


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_ids_have_the_smallest_type_and_one_printable_label_each(kind: str) -> None:
    for tokenizer in (TRAINED[kind], learned(kind, marks=MARKS)):
        ids = tokenizer.encode(SAMPLE)
        assert ids.dtype == np.min_scalar_type(tokenizer.size - 1)
        assert ids.max() < tokenizer.size
        labels = tokenizer.labels()
        assert len(labels) == tokenizer.size
        assert all(label and label.isprintable() for label in labels)
        assert all(labels[place] for place in tokenizer.specials.values())


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(pieces=pieces_of)
def test_a_text_in_pieces_has_the_ids_of_the_whole(kind: str, pieces: list[str]) -> None:
    tokenizer = TRAINED[kind]
    whole = tokenizer.encode("".join(pieces)).tolist()
    assert [index for ids in tokenizer.encode_chunks(pieces) for index in ids.tolist()] == whole


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(data=st.data())
def test_decoding_id_by_id_gives_the_same_text_as_at_once(kind: str, data: st.DataObject) -> None:
    tokenizer = learned_with_marks[kind]
    ids = data.draw(st.lists(st.integers(0, tokenizer.size - 1), max_size=40))
    streamer = tokenizer.streamer()
    shown = "".join(streamer.push(index) for index in ids) + streamer.flush()
    assert shown == tokenizer.decode(ids)


learned_with_marks = {kind: learned(kind, marks=MARKS) for kind in TOKENIZERS}


@pytest.mark.parametrize("kind", EXACT)
@given(text=any_text)
def test_every_valid_text_comes_back_exactly(kind: str, text: str) -> None:
    for tokenizer in (TRAINED[kind], learned_with_marks[kind]):
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert tokenizer.unknown(text) == []
        assert tokenizer.drop_unknown(text) == text


@given(text=any_text.filter(bool))
def test_char_gives_back_every_text_of_its_own_symbols(text: str) -> None:
    for tokenizer in (CharTokenizer(text), CharTokenizer(text, MARKS)):
        assert tokenizer.decode(tokenizer.encode(text)) == text
        assert tokenizer.size == len(set(text)) + len(tokenizer.specials)


@given(pieces=st.lists(any_text, max_size=6))
def test_bpe_cut_anywhere_equals_bpe_of_the_whole_for_any_text(pieces: list[str]) -> None:
    tokenizer = TRAINED["bpe"]
    whole = tokenizer._encoder.encode("".join(pieces)).ids
    assert [index for ids in tokenizer.encode_chunks(pieces) for index in ids.tolist()] == whole


@pytest.mark.parametrize("text", [(SAMPLE + "\n\n \n \tword\n") * 900, "one  two !\x1c three " * 20_000, "x" * 300_000])
def test_a_long_text_is_cut_for_bpe_without_changing_an_id(text: str) -> None:
    tokenizer = TRAINED["bpe"]
    assert len(text) > 2 * PIECE
    assert tokenizer.encode(text).tolist() == tokenizer._encoder.encode(text).ids


def test_bpe_learns_the_same_from_a_text_in_any_pieces() -> None:
    text = SAMPLE * 400

    def pieces() -> Iterator[str]:
        for start in range(0, len(text), 777):
            yield text[start : start + 777]

    whole = BpeTokenizer.learn(Evidence("", lambda: [text], 330))
    assert BpeTokenizer.learn(Evidence("", pieces, 330)).to_json() == whole.to_json()


def test_words_learn_the_same_from_a_text_in_any_pieces() -> None:
    whole = learned("word")
    assert WordTokenizer.learn(Evidence("", lambda: iter(SAMPLE))).to_json() == whole.to_json()


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_a_lone_surrogate_is_refused_by_name(kind: str) -> None:
    with pytest.raises(TokenizerError, match=r"lone surrogate, U\+D800, at character 5"):
        TRAINED[kind].encode("Tyger\ud800")


def test_char_sorts_its_symbols_by_code_point_and_puts_specials_last() -> None:
    tokenizer = CharTokenizer("cab", (*MARKS, ".unk"))
    assert tokenizer.symbols == "abc"
    assert tokenizer.specials == {".pad": 3, ".start": 4, ".end": 5, ".unk": 6}
    assert tokenizer.encode("aébz").tolist() == [0, 6, 1, 6]
    assert tokenizer.decode([4, 0, 6, 5]) == "a\ufffd"


def test_char_names_the_symbols_it_lacks_how_often_and_where() -> None:
    with pytest.raises(TokenizerError, match=r"2 symbols .*'é' U\+00E9, U\+0007 \(3 times, first at character 1\)"):
        CharTokenizer("abc").encode("aéb\x07cé")
    assert CharTokenizer("abc").unknown("aébéz") == [("é", 1), ("z", 4)]
    assert CharTokenizer("abc").drop_unknown("aébéz") == "ab"
    assert CharTokenizer("abc").lacks("azb") == "z"


def test_words_follow_the_rules_of_the_penn_treebank() -> None:
    text = " the cat sat \n the <unk> sat on\n"
    tokenizer = WordTokenizer.learn(Evidence("", lambda: [text]))
    assert tokenizer.words == ["<eos>", "sat", "the", "<unk>", "cat", "on"]
    assert tokenizer.encode(text).tolist() == [2, 4, 1, 0, 2, 3, 1, 5, 0]
    assert tokenizer.decode(tokenizer.encode("the dog sat\non the cat\n")) == "the <unk> sat\non the cat\n"
    assert tokenizer.unknown("the dog and dog") == [("dog", 4), ("and", 8)]
    assert tokenizer.drop_unknown("the dog sat\n a cat") == "the sat\ncat"


def test_rare_words_and_words_beyond_the_size_are_unknown() -> None:
    text = "a a a b b c\n"
    most = WordTokenizer.learn(Evidence("", lambda: [text], minimum_count=2))
    assert most.words == ["a", "b", "<eos>", "<unk>"]
    few = WordTokenizer.learn(Evidence("", lambda: [text], vocabulary_size=3))
    assert few.words == ["a", "<eos>", "<unk>"]


def test_bytes_of_an_unfinished_character_are_held_back() -> None:
    streamer = ByteTokenizer().streamer()
    assert [streamer.push(value) for value in "é".encode()] == ["", "é"]
    assert streamer.push(0xF0) == ""
    assert streamer.flush() == "\ufffd"


def test_bpe_adds_no_space_and_says_when_a_text_yields_fewer_pieces() -> None:
    with pytest.warns(Notice, match=r"only 2\d\d pieces"):
        tokenizer = BpeTokenizer.learn(Evidence("", lambda: ["abc abc"], 5000))
    assert tokenizer.decode(tokenizer.encode(" abc  ")) == " abc  "
    assert tokenizer.name == "bpe:5000"
    assert tokenizer.labels()[tokenizer.encode("abc")[0]].startswith("a")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("chr", "did you mean char"),
        ("bpe", "no usable size"),
        ("bpe:x", "no usable size"),
        ("bpe:12", "from 257"),
        ("bpe:99999999", "no usable size"),
        ("char:5", "takes no size"),
    ],
)
def test_an_unusable_tokenizer_name_is_explained(name: str, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        find_tokenizer(name)
    with pytest.raises(SettingError, match=says):
        DataSettings(tokenizer=name)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "os.system"},
        {"kind": ["char"]},
        {"kind": "char"},
        {"kind": "char", "symbols": "ab", "marks": [[]]},
        {"kind": "char", "symbols": "", "marks": []},
        {"kind": "byte", "marks": 3},
        {"kind": "word", "words": ["a"], "marks": []},
        {"kind": "word", "words": [["a"], "<eos>", "<unk>"], "marks": []},
        {"kind": "bpe", "asked": 300, "pieces": ["a"], "merges": [], "marks": []},
        {**TRAINED["bpe"].to_json(), "merges": [["a", "zzz"]]},
        {**TRAINED["bpe"].to_json(), "merges": [[]]},
        {**TRAINED["bpe"].to_json(), "pieces": [*TRAINED["bpe"].to_json()["pieces"], 3]},
    ],
)
def test_damaged_tokenizer_data_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(TokenizerError):
        open_tokenizer(data)


def test_labels_of_spaces_marks_and_bytes_can_be_read() -> None:
    assert CharTokenizer(" \n\u0301a").labels() == ["⏎", "␣", "a", "◌\u0301"]
    labels = ByteTokenizer().labels()
    assert (labels[0], labels[10], labels[32], labels[65], labels[0xE9]) == ("0x00", "⏎", "␣", "A", "0xE9")
