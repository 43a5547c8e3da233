"""A page of exhibits in a real browser: it draws, it reads out values, it follows the theme, and it fits a phone."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from browsing import Visit, visiting
from comparisons import HEBREW, MARKUP
from glassloom.report import write_page
from glassloom.report.matrices import sign
from pages import every_kind, matrices, page

LARGE = {"large.csv": "place,token\n" + "".join(f"{place},אé{MARKUP}\n" for place in range(20_000))}
"""A file that a page holds packed."""
CHARTS = ["curves", "excess", "words-ladder", "words-curves-by-epoch"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of exhibit, with markup in every text, and sixteen matrices."""
    whole = page(*every_kind(f"3.1a {MARKUP}"), matrices("many", 16), text=f"A page {MARKUP}", compared=True)
    return write_page(replace(whole, downloads={**whole.downloads, **LARGE}), tmp_path_factory.mktemp("page"))


@pytest.fixture
def visit(browser: Browser, written: Path) -> Iterator[Callable[..., Visit]]:
    with visiting(browser, written) as (open_page, _):
        yield open_page


def test_every_exhibit_is_drawn_offline_without_a_word_on_the_console(visit: Callable[..., Visit]) -> None:
    seen = visit()
    for name in CHARTS:
        assert seen.page.locator(f"#chart-{name} svg path").count() > 5
    assert seen.page.locator("#figure-attention .matrix svg").count() == 3
    assert seen.page.locator("#figure-one .matrix.large svg").count() == 1
    loaded = "[...document.querySelectorAll('image')].length"
    assert seen.page.evaluate(loaded) == 2 * (3 + 1 + 16 + 3), "light and dark of each matrix and each scale"
    assert seen.console == []
    assert [address for address in seen.requests if not address.startswith(("file:", "data:", "blob:"))] == []
    assert seen.page.evaluate("window.hacked") is None


def test_the_value_under_the_pointer_is_told(visit: Callable[..., Visit]) -> None:
    page = visit().page
    edge = page.locator("#figure-attention .matrix .edge").first
    edge.scroll_into_view_if_needed()
    box = edge.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 0.75 * box["height"])
    told = page.locator(".tip.shown")
    told.wait_for()
    assert told.inner_text().split("\n")[-1].endswith("0.5"), "row 2, column 2"
    assert "␣" in told.inner_text()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.25 * box["height"])
    assert told.inner_text().endswith("–"), "row 1, column 3 has no value"
    page.mouse.move(2, 2)
    assert page.locator(".tip.shown").count() == 0


def test_a_small_matrix_opens_large_and_the_next_one_follows(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.locator("#figure-many button.matrix").nth(15).click()
    dialog = page.locator("dialog[open]")
    assert dialog.locator("h3").inner_text() == "head 16 a"
    assert dialog.locator("svg text").count() == 2 + 3 + 2, "every label and both axes"
    page.keyboard.press("ArrowRight")
    assert dialog.locator("h3").inner_text() == "head 1 a"
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="detached", timeout=5_000)


def test_matrices_and_numbers_can_be_taken_along(visit: Callable[..., Visit], written: Path) -> None:
    page = visit().page
    for kind, start in {"svg": b"<svg", "png": b"\x89PNG"}.items():
        with page.expect_download() as download:
            page.locator(f"#figure-attention button[data-kind={kind}]").click()
        assert download.value.suggested_filename == f"attention.{kind}"
        assert Path(download.value.path()).read_bytes().startswith(start)
    with page.expect_download() as download:
        page.locator("#figure-curves a[download='curves.csv']").click()
    assert Path(download.value.path()).read_bytes() == (written.parent / "figures" / "curves.csv").read_bytes()
    with page.expect_download() as download:
        page.locator("#figure-many button[data-kind=csv]").click()
    saved, beside = (
        [[sign(cell) for cell in row] for row in csv.reader(path.read_text(encoding="utf-8").splitlines())]
        for path in (Path(download.value.path()), written.parent / "figures" / "many.csv")
    )
    assert len(saved) == 1 + 16 * 2 * 3
    assert [row[:3] for row in saved] == [row[:3] for row in beside]
    assert [row[3] and float(row[3]) for row in saved[1:]] == [row[3] and float(row[3]) for row in beside[1:]]


def test_a_coloured_text_and_a_packed_file_can_be_taken_along(visit: Callable[..., Visit], written: Path) -> None:
    page = visit().page
    saved = {}
    for kind in ("svg", "png"):
        with page.expect_download() as download:
            page.locator(f"#figure-coloured button[data-kind={kind}]").click()
        assert download.value.suggested_filename == f"coloured.{kind}"
        saved[kind] = Path(download.value.path()).read_bytes()
    assert saved["svg"] == (written.parent / "figures" / "coloured.svg").read_bytes()
    assert saved["png"].startswith(b"\x89PNG")
    root = ElementTree.fromstring(saved["svg"])
    assert int.from_bytes(saved["png"][16:20], "big") == int(2 * float(root.attrib["width"]))
    with page.expect_download() as download:
        page.get_by_role("button", name="large.csv").click()
    assert Path(download.value.path()).read_text(encoding="utf-8") == LARGE["large.csv"]
    assert written.stat().st_size < 2_500_000


def test_light_and_dark_exchange_the_pixels_and_the_colours(visit: Callable[..., Visit]) -> None:
    light, dark = visit().page, visit(scheme="dark").page
    shown = "[...document.querySelectorAll('#figure-one image')].map(i => getComputedStyle(i).display)"
    assert light.evaluate(shown) == ["inline", "none", "inline", "none"]
    assert dark.evaluate(shown) == ["none", "inline", "none", "inline"]
    stroke = "getComputedStyle(document.querySelector('#chart-curves .solid_marks path')).stroke"
    assert light.evaluate(stroke) == "rgb(0, 114, 178)"
    assert dark.evaluate(stroke) == "rgb(79, 159, 224)"
    dark.locator("#theme").click()
    assert dark.evaluate(shown) == light.evaluate(shown), "the switch goes before the system"


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_of_exhibits_is_wider_than_its_window(visit: Callable[..., Visit], width: int) -> None:
    page = visit(width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for place in range(page.locator("figure .chart svg").count()):
        box = page.locator("figure .chart svg").nth(place).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= width


def test_a_legend_entry_brings_its_solid_and_its_dashed_curve_out(visit: Callable[..., Visit]) -> None:
    page = visit().page
    faded = "#chart-curves :is(.solid_marks, .dashed_marks) path[opacity='0.1']"
    entry = page.locator("#chart-curves .role-legend-label text", has_text="gru").first
    entry.scroll_into_view_if_needed()
    box = entry.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(faded).first.wait_for(state="attached")
    assert page.locator(faded).count() == 3, "two stretches of the solid one, one dashed"


def test_a_table_among_exhibits_sorts_and_hebrew_runs_from_the_right(visit: Callable[..., Visit]) -> None:
    page = visit().page
    page.locator("#results thead button", has_text="perplexity").click()
    read = "[...document.querySelectorAll('#results tbody tr')].map(line => line.cells[1].dataset.value)"
    assert page.evaluate(read) == ["126.0", "1234.567", "Infinity"]
    prompt = page.locator("#samples blockquote", has_text=HEBREW[0][:8]).first
    assert prompt.evaluate("text => getComputedStyle(text).direction") == "rtl"
