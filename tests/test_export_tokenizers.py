"""Text to ids in a page, in Chromium: the same ids, texts and refusals as in Python, for every tokenizer."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from comparisons import HEBREW
from glassloom.data.tokenizers import BpeTokenizer, ByteTokenizer, CharTokenizer, Evidence, Tokenizer, WordTokenizer
from glassloom.errors import Notice, TokenizerError
from glassloom.generation import encode_prompt
from glassloom.generation.decoder import first_tokens
from glassloom.models import build, settings_of
from model_pages import Visitor

ODD = (
    "I'll say it's what they've got; we'd 'S 'll don't  two  spaces \n\n\n  indented\t\ttabs\r\n1234 5½ x² ٣٤ 漢字かな"
    " 🙂👩‍👩‍👧 e\u0301 café naïve \ufeff \u00a0\u2003wide\u3000"
    " \x1c\x1d\x85 control\x00\x7f \u2028 _snake_case(a+b)=={}[]  "
)
"""What the rules of cutting are about: contractions, white space of all kinds, numbers, marks, signs."""


@pytest.fixture(scope="module")
def opened(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Tokenizer], Visitor]]:
    visitor = Visitor(browser)

    def show(tokenizer: Tokenizer) -> Visitor:
        model = build(settings_of("rnn")(layers=1, width=2), tokenizer.size)
        return visitor.show(model, tokenizer, tmp_path_factory.mktemp("tokenizer"))

    yield show
    visitor.context.close()


def learned(kind: type[Tokenizer], text: str, argument: int | None = None, marks: tuple[str, ...] = ()) -> Tokenizer:
    return kind.learn(Evidence("".join(sorted(set(text))), lambda: [text], argument, minimum_count=2, marks=marks))


@pytest.fixture(scope="module")
def text(tiny_text: str) -> str:
    return tiny_text + "\n".join(HEBREW) + ODD * 3


@pytest.mark.parametrize("marks", [(), (".pad", ".start", ".end")], ids=["stream", "sequences"])
@pytest.mark.parametrize(("kind", "argument"), [(CharTokenizer, None), (WordTokenizer, None), (BpeTokenizer, 700),
                                                (ByteTokenizer, None)])  # fmt: skip
def test_a_text_has_the_same_ids_as_in_python(
    opened: Callable[[Tokenizer], Visitor],
    kind: type[Tokenizer],
    argument: int | None,
    marks: tuple[str, ...],
    text: str,
) -> None:
    tokenizer = learned(kind, text, argument, marks)
    assert opened(tokenizer).encode(text) == tokenizer.encode(text).tolist()


def test_pieces_are_those_of_the_library_on_texts_that_it_has_not_learned(
    opened: Callable[[Tokenizer], Visitor], tiny_text: str
) -> None:
    tokenizer = learned(BpeTokenizer, tiny_text[:15_000], 600)
    visitor = opened(tokenizer)
    for text in (tiny_text[15_000:], ODD, " ".join(HEBREW), "", " ", "   ", "\n \n", "a'sb 'sb", "aaaaaaaaaaaaaaaaaaa"):
        assert visitor.encode(text) == tokenizer.encode(text).tolist(), text


@pytest.mark.parametrize("kind", [ByteTokenizer, BpeTokenizer, WordTokenizer, CharTokenizer])
def test_ids_one_by_one_spell_the_text_that_they_spell_in_python(
    opened: Callable[[Tokenizer], Visitor], kind: type[Tokenizer], text: str
) -> None:
    tokenizer = learned(kind, text, 300 if kind is BpeTokenizer else None)
    words = "\n".join(HEBREW[:1]) + " It's\n 漢字 café"
    words = tokenizer.drop_unknown(words)
    shown = opened(tokenizer).read(words)
    streamer = tokenizer.streamer()
    expected = [streamer.push(index) for index in tokenizer.encode(words).tolist()]
    assert [token["text"] for token in shown] == expected
    assert [token["label"] for token in shown] == [tokenizer.labels()[token["id"]] for token in shown]


def test_a_symbol_that_the_model_never_saw_is_refused_by_name_and_place_or_left_out(
    opened: Callable[[Tokenizer], Visitor],
) -> None:
    tokenizer = CharTokenizer("abc ")
    visitor = opened(tokenizer)
    prompt = "abé 🙂é\n"
    with pytest.raises(TokenizerError) as refused:
        encode_prompt(tokenizer, prompt)
    names = refused.value.what.partition(": ")[2]
    visitor.page.locator("#prompt").fill(prompt)
    visitor.page.locator("#write").click()
    said = visitor.finished()
    assert said.startswith(f"The text holds what the model never saw: {names}.")
    assert names == "'é' U+00E9 at character 2, '🙂' U+1F642 at character 4, U+000A at character 6"
    assert visitor.page.locator("#text .token").count() == 0
    visitor.page.locator("#skip").check()
    visitor.page.locator("#write").click()
    assert "Left out, as the model never saw it: 'é'" in visitor.finished()
    with pytest.warns(Notice, match="Left out"):
        assert visitor.encode(prompt, skip=True) == encode_prompt(tokenizer, prompt, skip_unknown=True)


def test_a_word_that_the_model_never_saw_is_read_as_unknown(opened: Callable[[Tokenizer], Visitor]) -> None:
    tokenizer = WordTokenizer(["<unk>", "<eos>", "the", "cat"])
    visitor = opened(tokenizer)
    visitor.page.locator("#reads").click()
    visitor.page.locator("#prompt").fill("the 🙂 dog\ncat")
    visitor.page.locator("#text .token").nth(4).wait_for()
    assert "Read as <unk>, as the model never saw it: '🙂' U+1F642 at character 4, 'dog' at character 6." in (
        visitor.finished()
    )
    assert [token["id"] for token in visitor.read("the 🙂 dog\ncat")] == [2, 0, 0, 1, 3]


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharTokenizer("ab\n"), CharTokenizer("ab"), CharTokenizer("ab", (".pad", ".start", ".end")), ByteTokenizer(),
        WordTokenizer(["<unk>", "a", "<eos>"]),
    ],
    ids=["a line end", "no line end", "a start", "bytes", "words"],
)  # fmt: skip
def test_without_a_prompt_it_begins_as_python_does(
    opened: Callable[[Tokenizer], Visitor], tokenizer: Tokenizer
) -> None:
    visitor = opened(tokenizer)
    first = first_tokens([], tokenizer)
    [token] = visitor.write("", greedy=True, length=1)
    expected = visitor.logits(first)[-1].double().softmax(-1)
    assert token["bits"] == pytest.approx(-expected[token["id"]].log2().item(), abs=1e-6)
