"""A model in a page, as a reader meets it: it writes, it reads, it shows its inside, and sends nothing anywhere."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Browser

from comparisons import HEBREW, MARKUP
from glassloom.data.tokenizers import ByteTokenizer, CharTokenizer, Tokenizer
from glassloom.models import settings_of
from glassloom.models.contract import LanguageModel
from model_pages import Visitor, noisy

WORDS = CharTokenizer("".join(sorted(set(MARKUP + "".join(HEBREW) + "\n\t\x1b abc"))))


def gru() -> tuple[LanguageModel, Tokenizer]:
    return noisy(settings_of("gru")(layers=2, width=12), WORDS.size), WORDS


def transformer() -> tuple[LanguageModel, Tokenizer]:
    settings = settings_of("transformer")(layers=2, width=12, heads=2, context=16)
    return noisy(settings, WORDS.size), WORDS


@pytest.fixture
def visit(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Visitor]]:
    visits: list[Visitor] = []

    def open_page(
        made: tuple[LanguageModel, Tokenizer], width: int = 1280, scheme: str = "light", prompt: str = MARKUP
    ) -> Visitor:
        visits.append(Visitor(browser, width, scheme))
        return visits[-1].show(*made, tmp_path, prompt=prompt, title=f"A model {MARKUP}", facts=((MARKUP, MARKUP),))

    yield open_page
    for one in visits:
        one.context.close()


def words(visitor: Visitor) -> str:
    """The text on the page."""
    found: str = visitor.page.evaluate("showing.text.plain()")
    return found


@pytest.mark.parametrize("made", [gru, transformer])
def test_it_writes_offline_as_soon_as_it_is_open_without_a_word_on_the_console(
    visit: Callable[..., Visitor], made: Callable[[], tuple[LanguageModel, Tokenizer]]
) -> None:
    visitor = visit(made())
    assert "400 characters" in visitor.finished()
    assert words(visitor).startswith(MARKUP)
    assert visitor.page.locator("#text .token").count() == len(MARKUP) + 400
    assert visitor.page.locator("#text .given").count() == len(MARKUP)
    assert visitor.page.locator("#text *:not(.token)").count() == 0, "text is never markup"
    for name in ("inside", "none", "surprise"):
        visitor.page.locator("#colour").select_option(name)
    visitor.page.locator("#layer").select_option("0")
    visitor.page.locator("#text .token").nth(3).click()
    visitor.page.locator("#picture").click(position={"x": 60, "y": 40})
    assert visitor.page.evaluate("window.hacked") is None
    assert visitor.console == []
    assert [address for address in visitor.requests if not address.startswith(("file:", "blob:", "data:"))] == []


def test_writing_can_be_stopped_and_the_page_stays_awake(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt="abc")
    visitor.finished()
    visitor.page.locator("#more summary").click()
    visitor.page.locator("#length").fill("5000")
    visitor.page.locator("#pace").select_option("20")
    visitor.page.locator("#write").click()
    visitor.page.locator("#text .token").nth(5).wait_for()
    assert visitor.page.locator("#write").is_disabled()
    visitor.page.locator("#stop").click()
    count = visitor.page.locator("#text .token").count()
    assert 6 <= count < 1000
    assert f"{count - 3} characters" in visitor.finished()
    visitor.page.locator("#length").fill("7")
    visitor.page.locator("#pace").select_option("0")
    visitor.page.locator("#write").click()
    visitor.page.locator("#text .token").nth(9).wait_for()
    assert "7 characters" in visitor.finished(), "nothing of what was stopped came after it"
    assert visitor.page.locator("#text .token").count() == 10


def test_choices_that_cannot_be_are_not_sent_to_the_model(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt="abc")
    before = visitor.finished()
    visitor.page.locator("#more summary").click()
    visitor.page.locator("#top-p").fill("1.5")
    visitor.page.locator("#write").click()
    assert visitor.finished() == before
    assert visitor.page.locator("#top-p:invalid").count() == 1


def test_the_same_seed_writes_the_same_text_and_the_next_one_another(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt="abc")
    visitor.finished()
    texts = []
    visitor.page.locator("#more summary").click()
    for seed in ("5", "5", "6"):
        visitor.page.locator("#seed").fill(seed)
        visitor.page.locator("#write").click()
        visitor.finished()
        texts.append(words(visitor))
        assert visitor.page.locator("#seed").input_value() == str(int(seed) + 1)
    assert texts[0] == texts[1] != texts[2]
    visitor.page.locator("#temperature").fill("0")
    assert visitor.page.locator("#temperature-value").inner_text() == "0.00, always the most probable"
    visitor.page.locator("#another").uncheck()
    greedy = set()
    for seed in ("5", "6"):
        visitor.page.locator("#seed").fill(seed)
        visitor.page.locator("#write").click()
        visitor.finished()
        greedy.add(words(visitor))
        assert visitor.page.locator("#seed").input_value() == seed
    assert len(greedy) == 1


def test_what_is_typed_is_coloured_by_its_surprise(visit: Callable[..., Visitor]) -> None:
    model, tokenizer = gru()
    visitor = visit((model, tokenizer), prompt="abc")
    visitor.page.locator("#reads").click()
    visitor.page.locator("#prompt").fill("cab a")
    visitor.page.locator("#text .token").nth(4).wait_for()
    said = visitor.finished()
    tokens = visitor.read("cab a")
    bits = [token["bits"] for token in tokens[1:]]
    assert said == f"4 characters of your text cost the model {sum(bits) / 4:.2f} bits a character."
    shown = [
        float(amount)
        for amount in visitor.page.locator("#text .token").evaluate_all(
            "spans => spans.map((span) => span.style.getPropertyValue('--amount'))"
        )
    ]
    uniform = torch.tensor(float(tokenizer.size)).log2().item()
    assert shown == pytest.approx([0, *(min(1, one / uniform) for one in bits)], abs=1e-3)
    assert visitor.page.locator("#write").is_hidden()
    visitor.page.locator("#prompt").fill("")
    visitor.page.locator("#text:empty").wait_for(state="attached")


def test_the_arrow_keys_walk_through_the_text_and_what_was_probable_is_told(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt="abc")
    visitor.finished()
    visitor.page.locator("#text").focus()
    for key in ("Home", "ArrowRight", "ArrowRight"):
        visitor.page.keyboard.press(key)
    assert visitor.page.locator("#text .chosen").get_attribute("data-place") == "2"
    token = visitor.read("abc")[2]
    told = visitor.page.locator("#readout .sentence").inner_text()
    assert told.startswith("c had ")
    assert f"{token['bits']:.2f} bits of surprise" in told
    labels = visitor.page.locator("#readout li .label").all_inner_texts()
    assert labels == [one["label"] for one in token["best"]]
    visitor.page.keyboard.press("Home")
    assert "was given" in visitor.page.locator("#readout").inner_text()


def test_a_click_on_a_unit_colours_the_text_by_it(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt="abc")
    visitor.finished()
    visitor.page.locator("#picture").click(position={"x": 5, "y": 3})
    unit = int(visitor.page.locator("#unit").input_value())
    tokens = visitor.page.evaluate("showing.text.tokens.map((token) => Array.from(token.inside.hidden[1]))")
    values = torch.tensor(tokens)
    changes = (values[1:] - values[:-1]).square().sum(0) / ((values - values.mean(0)).square().sum(0) + 1e-6)
    assert unit == changes.argmin().item(), "the steadiest stands at the top"
    own = values[:, unit] / values[:, unit].abs().max()
    told = visitor.page.locator("#text .token").evaluate_all(
        "spans => spans.map((span) => [span.style.getPropertyValue('--amount'), span.classList.contains('cold')])"
    )
    shown = torch.tensor([-float(amount) if cold else float(amount) for amount, cold in told])
    torch.testing.assert_close(shown, own, rtol=0, atol=1e-3)


def test_a_chosen_character_shows_what_a_head_takes(visit: Callable[..., Visitor]) -> None:
    model, tokenizer = transformer()
    visitor = visit((model, tokenizer), prompt="abc abc")
    visitor.finished()
    visitor.page.locator("#colour").select_option("inside")
    visitor.page.locator("#head").select_option("1")
    visitor.page.locator("#text .token").nth(6).click()
    heads = torch.tensor(visitor.read("abc abc", look=True)[6]["inside"]["attention"][1]).view(2, -1)
    visitor.page.evaluate("new Promise(requestAnimationFrame)")
    told = visitor.page.locator("#text .token").evaluate_all(
        "spans => spans.slice(0, 8).map((span) => Number(span.style.getPropertyValue('--amount')))"
    )
    assert told == pytest.approx([*heads[1].sqrt().tolist(), 0], abs=1e-3)


def test_hebrew_runs_from_the_right(visit: Callable[..., Visitor]) -> None:
    visitor = visit(gru(), prompt=HEBREW[0])
    visitor.finished()
    assert visitor.page.locator("#text:dir(rtl)").count() == 1
    assert visitor.page.locator("#prompt:dir(rtl)").count() == 1
    first, second = (visitor.page.locator("#text .token").nth(place).bounding_box() for place in (0, 2))
    assert first is not None
    assert second is not None
    assert second["x"] < first["x"]
    visitor.page.locator("#text").focus()
    for key in ("Home", "ArrowLeft"):
        visitor.page.keyboard.press(key)
    assert visitor.page.locator("#text .chosen").get_attribute("data-place") == "1", "the next one stands to the left"


def test_a_character_of_several_bytes_is_shown_when_its_last_byte_is_there(visit: Callable[..., Visitor]) -> None:
    model = noisy(settings_of("rnn")(layers=1, width=4), 256)
    visitor = visit((model, ByteTokenizer()), prompt="é")
    visitor.page.locator("#reads").click()
    visitor.page.locator("#prompt").fill("éa")
    visitor.page.locator("#text .token").nth(2).wait_for()
    visitor.finished()
    assert visitor.page.locator("#text .token").all_inner_texts() == ["", "é", "a"]
    assert words(visitor) == "éa"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_phones_and_follows_the_theme(visit: Callable[..., Visitor], width: int, scheme: str) -> None:
    visitor = visit(transformer(), width=width, scheme=scheme)
    visitor.finished()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width
    paper = "getComputedStyle(document.body).backgroundColor"
    ground = {"light": "rgb(255, 253, 248)", "dark": "rgb(23, 22, 19)"}
    assert visitor.page.evaluate(paper) == ground[scheme]
    button = visitor.page.locator("#theme")
    button.click()
    assert button.inner_text() == "Theme: light"
    assert visitor.page.evaluate(paper) == ground["light"]
    button.click()
    assert visitor.page.evaluate(paper) == ground["dark"]


def test_what_a_sequence_cost_is_said_by_its_tokens_for_its_end_spells_nothing(visit: Callable[..., Visitor]) -> None:
    """Of six ids the end has 4 of 9 shares and each other one: 1.17 bits, and 3.17, wherever it stands."""
    tokenizer = CharTokenizer("()", (".pad", ".start", ".end", ".unk"))
    model = noisy(settings_of("gru")(layers=1, width=4), tokenizer.size)
    with torch.no_grad():
        model.output_weight.zero_()
        model.output.bias.zero_()
        model.output.bias[tokenizer.specials[".end"]] = math.log(4)
    visitor = visit((model, tokenizer), prompt="")
    visitor.finished()
    visitor.page.locator("#more summary").click()
    visitor.page.locator("#temperature").fill("0")
    visitor.page.locator("#write").click()
    assert visitor.finished() == "The model ended at once, without a character of its own; the end cost it 1.17 bits."
    visitor.page.locator("#temperature").fill("1")
    visitor.page.locator("#another").uncheck()
    several = set()
    for seed in range(12):
        visitor.page.locator("#seed").fill(str(seed))
        visitor.page.locator("#write").click()
        said = visitor.finished()
        tokens = visitor.page.evaluate("showing.text.tokens.filter((token) => token.written).length")
        if tokens > 1:
            mean = ((tokens - 1) * math.log2(9) + math.log2(9 / 4)) / tokens
            noun = "character" if tokens == 2 else "characters"
            assert said.startswith(f"{tokens - 1} {noun}")
            assert f"{mean:.2f} bits a character, the end counted as one. Here the model ended by itself." in said
            several.add(tokens)
    assert len(several) > 1
