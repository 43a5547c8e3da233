"""Pages that everybody can read: no violation that axe-core finds, keys alone, print, and right-to-left text."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from browsing import Visit, visiting
from comparisons import HEBREW, MARKUP, made_up
from glassloom.report import write_page, write_report
from glassloom.report.viewing import write_view
from glassloom.views.attended import attended
from glassloom.views.surprise import surprise
from models_by_hand import LETTERS, looking_back
from pages import every_kind, matrices, page

BIDI = "\u202eevil\u202c \u2067x\u2069 &amp; {{ 7 * 7 }} {% raw %} &#60;b&#62;"
"""Marks of direction, entities, and the syntax of templates."""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A comparison's report, a recipe's page, and two views."""
    folder = tmp_path_factory.mktemp("pages")
    recipe = page(*every_kind(f"3.1a {MARKUP}"), matrices("many", 16), text=f"A page {BIDI}", compared=True)
    model = looking_back(9), LETTERS
    return {
        "report": write_report(made_up(text=HEBREW, points=12, title=f"{HEBREW[0]} {BIDI}"), folder / "report"),
        "recipe": write_page(recipe, folder / "recipe"),
        "attention": write_view(attended(model, "ab !abcab"), folder / "attention.html"),
        "surprise": write_view(surprise(model, "ab !abcab"), folder / "surprise.html", title=f"surprise {BIDI}"),
    }


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    with visiting(browser) as (open_page, _):
        yield open_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["report", "recipe", "attention", "surprise"])
def test_axe_finds_no_violation(visit: Callable[..., Visit], pages: dict[str, Path], name: str, scheme: str) -> None:
    seen = visit(pages[name], scheme=scheme)
    seen.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    found = Axe().run(seen.page)
    assert found.response["passes"], "axe looked at something"
    assert found.violations_count == 0, found.generate_report()
    assert seen.console == []


def test_every_drawn_figure_says_in_words_what_it_shows(visit: Callable[..., Visit], pages: dict[str, Path]) -> None:
    for name in pages:
        seen = visit(pages[name]).page
        told = "figures => figures.map(f => [...f.querySelectorAll('[role=graphics-document], svg[role=img]')]"
        labels = seen.locator("figure[data-kind=chart], figure[data-kind=matrices]").evaluate_all(
            f"{told}.map(svg => svg.getAttribute('aria-label') ?? ''))"
        )
        assert all(figure and all(len(label) > 5 for label in figure) for figure in labels), name
        assert seen.locator("figure details li").count() >= seen.locator("figure").count()


def test_everything_that_acts_is_reached_by_tab_and_seen_there(
    visit: Callable[..., Visit], pages: dict[str, Path]
) -> None:
    seen = visit(pages["report"]).page
    there = "[...document.querySelectorAll('a[href], button, input, select, summary, [tabindex=\"0\"]')]"
    expected = seen.evaluate(f"{there}.filter(e => e.checkVisibility({{visibilityProperty: true}})).length")
    reached = set()
    for _ in range(expected + 5):
        seen.keyboard.press("Tab")
        who = "e => [...document.querySelectorAll('*')].indexOf(e)"
        at = seen.evaluate(f"({who})(document.activeElement)")
        if at in reached or seen.evaluate("document.activeElement === document.body"):
            break  # once around
        reached.add(at)
        outline = seen.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen.evaluate("document.activeElement.outerHTML.slice(0, 80)")
    assert len(reached) >= expected


def test_in_print_everything_is_open_on_white_paper_and_no_button_is_left(
    visit: Callable[..., Visit], pages: dict[str, Path]
) -> None:
    seen = visit(pages["report"], scheme="dark").page
    seen.locator("#theme").click()
    seen.locator("#theme").click()  # the reader chose dark
    seen.emulate_media(media="print")
    assert seen.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    ink = "getComputedStyle(document.querySelector('#chart-ladder .role-axis-label text')).fill"
    assert seen.evaluate(ink) == "rgb(110, 103, 92)"
    shown = (
        "[...document.querySelectorAll('button:not(th button), .controls, .filter')].filter(e => e.checkVisibility())"
    )
    assert seen.evaluate(f"{shown}.length") == 0
    hidden = "[...document.querySelectorAll('details dl, details li')].filter(e => !e.checkVisibility())"
    assert seen.evaluate(f"{hidden}.length") == 0


def test_text_of_the_corpus_is_shown_letter_by_letter_and_keeps_its_marks_to_itself(
    visit: Callable[..., Visit], pages: dict[str, Path]
) -> None:
    for name in ("report", "recipe", "surprise"):
        seen = visit(pages[name])
        heading = seen.page.locator("h1")
        assert BIDI in (heading.text_content() or "")
        assert seen.page.evaluate("window.hacked") is None
        assert heading.evaluate("h => getComputedStyle(h).unicodeBidi") in ("isolate", "plaintext")
    assert heading.evaluate("h => getComputedStyle(h).direction") == "ltr"
    hebrew = visit(pages["report"]).page
    assert hebrew.locator("h1").evaluate("h => getComputedStyle(h).direction") == "rtl"
    boxes = "b => { const r = document.createRange(); r.selectNodeContents(b); return r.getClientRects()[0].right; }"
    sample = hebrew.locator("blockquote").first
    own = sample.bounding_box()
    assert own is not None
    assert abs(own["x"] + own["width"] - sample.evaluate(boxes)) < 2, "lines begin at the right edge"


def test_a_token_tells_its_numbers_to_the_pointer_and_to_the_arrow_keys(
    visit: Callable[..., Visit], pages: dict[str, Path]
) -> None:
    seen = visit(pages["surprise"]).page
    notes = seen.locator("blockquote.coloured span[data-note]").evaluate_all("all => all.map(s => s.dataset.note)")
    assert len(notes) > 5
    seen.locator("blockquote.coloured").first.focus()
    for note in notes[:2]:
        seen.keyboard.press("ArrowRight")
        assert seen.locator(".tip.shown").inner_text().strip() == note.strip()
    seen.keyboard.press("Escape")
    assert seen.locator(".tip.shown").count() == 0
    seen.locator("blockquote.coloured span[data-note]").nth(3).hover()
    assert seen.locator(".tip.shown").inner_text().strip() == notes[3].strip()
