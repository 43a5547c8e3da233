"""Our tokenizers in the hands of transformers: the same ids and texts, of odd text above all."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foreign import their_warnings
from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Evidence, Tokenizer, WordTokenizer
from glassloom.errors import TokenizerError
from glassloom.exchange.tokenizing import as_library, tokenizer_files

ODD = [
    "", " ", "\n", "\r\n", "a\r\nb", "  two  spaces ", "\ttab\t", "tail \n", "\n\n\nlines", "don't we'll I'M",
    "naïve café",
    "e\u0301 and é", "ß ſ ﬁ İ ı", "日本語テキスト", "한국어", "שָׁלוֹם עולם", "👩‍👩‍👧 🏳️‍🌈 🇩🇪", "a\u200bb\u00adc\ufeffd",
    "\u00a0no-break\u2009thin\u3000wide", 
    "\u2028line\u2029paragraph\x85next\x0bvertical\x0cfeed", "\x1c\x1d\x1e\x1f x\x1fy",
    "\0null", ".pad .start .end .unk", "<unk> <eos> <pad> <|endoftext|> [CLS]", "▁Ġ ##a", "12345 3.14", "a" * 300,
    "x=1;\n\tif (y) { return z; }\n", "\ufffd\U0010ffff", "tail\n\n",
]  # fmt: skip
TEXT = "".join(ODD) + "the cat sat on the mat. the cat ate the rat.\n" * 9


def learned(kind: type[Tokenizer], marks: tuple[str, ...] = ()) -> Tokenizer:
    """A tokenizer that has learned from the odd text."""
    symbols = "".join(sorted(set(TEXT)))
    return kind.learn(Evidence(symbols, lambda: [TEXT], 300, marks=marks))


KINDS = (CharTokenizer, ByteTokenizer, WordTokenizer, BpeTokenizer)
MARKS = (".pad", ".start", ".end")


@pytest.mark.parametrize("marks", [(), MARKS], ids=["stream", "sequences"])
@pytest.mark.parametrize("kind", KINDS)
def test_odd_text_has_the_same_ids_and_comes_back_the_same(
    kind: type[Tokenizer], marks: tuple[str, ...], tmp_path: Path
) -> None:
    ours = learned(kind, marks)
    for name, content in tokenizer_files(ours, None).items():
        (tmp_path / name).write_bytes(content)
    with their_warnings():
        from transformers import AutoTokenizer, PreTrainedTokenizerFast

        theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(theirs, PreTrainedTokenizerFast)
    assert len(theirs) == ours.size
    for text in [*ODD, TEXT]:
        ids = ours.encode(text).tolist()
        assert theirs(text).input_ids == ids, repr(text)
        assert theirs.decode(ids) == ours.decode(ids), repr(text)
    if marks:
        for mark, index in ours.specials.items():
            if kind is not WordTokenizer:
                assert theirs.decode([index]) == ours.decode([index]), mark


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_any_text_has_the_same_ids(text: str) -> None:
    for kind in (ByteTokenizer, WordTokenizer, BpeTokenizer):
        ours = LEARNED[kind]
        assert LIBRARY[kind].encode(text).ids == ours.encode(text).tolist()
        assert LIBRARY[kind].decode(ours.encode(text).tolist()) == ours.decode(ours.encode(text))


LEARNED = {kind: learned(kind) for kind in KINDS}
LIBRARY = {kind: as_library(tokenizer) for kind, tokenizer in LEARNED.items()}


def test_a_character_that_is_unknown_is_refused_there_too() -> None:
    ours = CharTokenizer("abc")
    with pytest.raises(TokenizerError):
        ours.encode("abd")
    with pytest.raises(Exception, match="UNK"):
        as_library(ours).encode("abd")
