"""The report in a real browser: it draws, it sorts, it sends nothing, and it fits a phone."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browsing import Visit, visiting
from comparisons import ENGLISH, HEBREW, MARKUP, made_up
from glassloom.report import write_report, write_run_report


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hebrew and English side by side, with markup in the text and names that are too long for a phone."""
    comparison = made_up(text=HEBREW, title="Four models on Bialik and Rachel, " + "averyveryverylongname" * 4)
    english = dataclasses.replace(comparison.samples[0], prompt=ENGLISH[0], text=ENGLISH[2] + MARKUP, truth=ENGLISH[1])
    return write_report(
        dataclasses.replace(comparison, samples=(*comparison.samples, english)), tmp_path_factory.mktemp("r")
    )


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Callable[..., Visit]]:
    with visiting(browser, report) as (open_page, _):
        yield open_page


def test_it_draws_every_figure_offline_without_a_word_on_the_console(visit: Callable[..., Visit]) -> None:
    seen = visit()
    assert seen.page.locator("figure .chart svg").count() == 3
    for name in ("ladder", "curves-by-epoch", "time-and-quality"):
        assert seen.page.locator(f"#chart-{name} svg path").count() > 5
        words = seen.page.locator(f"#chart-{name}").get_attribute("aria-label")
        assert words
        assert "transformer" in words
    assert seen.console == []
    assert [address for address in seen.requests if not address.startswith(("file:", "data:", "blob:"))] == []


def test_its_policy_forbids_code_that_it_did_not_bring(visit: Callable[..., Visit]) -> None:
    seen = visit()
    brought = "Object.assign(document.createElement('script'), {textContent: 'window.brought = 1'})"
    seen.page.evaluate(f"document.body.append({brought})")
    assert seen.page.evaluate("window.brought") is None
    assert seen.page.evaluate("fetch('https://localhost:1').then(() => 'sent', error => error.name)") == "TypeError"
    refusals = [line for line in seen.console if "Content Security Policy" in line]
    assert len(refusals) >= 2


def test_markup_in_a_text_is_shown_and_does_nothing(visit: Callable[..., Visit]) -> None:
    page = visit().page
    assert page.evaluate("window.hacked") is None
    shown = page.locator("blockquote", has_text="window.hacked=1").first.inner_text()
    assert MARKUP in shown
    assert page.locator("blockquote script, blockquote img").count() == 0


def test_each_text_runs_in_its_own_direction(visit: Callable[..., Visit]) -> None:
    page = visit().page
    direction = "text => getComputedStyle(text).direction"
    hebrew = page.locator("blockquote", has_text=HEBREW[0][:8])
    assert {hebrew.nth(place).evaluate(direction) for place in range(hebrew.count())} == {"rtl"}
    assert page.locator("blockquote", has_text="KING RICHARD").first.evaluate(direction) == "ltr"
    white = page.locator("blockquote").first.evaluate("text => getComputedStyle(text).whiteSpace")
    assert white == "pre-wrap"
    inside = "text => { const box = text.getBoundingClientRect(), own = text.parentElement.getBoundingClientRect();"
    right = hebrew.first.locator(".prompt").evaluate(f"{inside} return own.right - box.right; }}")
    assert right < 2, "Hebrew starts at the right edge"
    assert page.locator("blockquote").first.evaluate("text => getComputedStyle(text).unicodeBidi") == "plaintext"


def test_headings_sort_the_table_by_mouse_and_by_key(visit: Callable[..., Visit]) -> None:
    page = visit().page
    heading = page.locator("#results th", has_text="seconds to best")
    column = heading.evaluate("cell => cell.cellIndex")
    read = f"() => [...document.querySelectorAll('#results tbody tr')].map(line => line.cells[{column}].dataset.value)"
    heading.locator("button").click()
    ascending = page.evaluate(read)
    numbers = [float(value) for value in ascending if value]
    assert numbers == sorted(numbers)
    assert ascending[-1] == "", "the row that diverged stays last"
    assert heading.get_attribute("aria-sort") == "ascending"
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert page.evaluate(read) == [str(value) for value in sorted(ascending[:-1], key=float, reverse=True)] + [""]
    assert heading.get_attribute("aria-sort") == "descending"


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_is_wider_than_its_window(visit: Callable[..., Visit], width: int) -> None:
    page = visit(width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for place in range(page.locator("figure .chart svg").count()):
        box = page.locator("figure .chart svg").nth(place).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width


def test_light_and_dark_follow_the_system_until_the_switch_is_used(visit: Callable[..., Visit]) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('#chart-ladder .role-axis-label text')).fill"
    light, dark = visit().page, visit(scheme="dark").page
    assert light.evaluate(paper) != dark.evaluate(paper)
    assert light.evaluate(ink) != dark.evaluate(ink)
    drawn_on = dark.locator("#chart-ladder svg").evaluate("svg => getComputedStyle(svg).backgroundColor")
    assert drawn_on == "rgba(0, 0, 0, 0)"
    was = dark.evaluate(paper)
    dark.locator("#theme").click()
    assert dark.locator("#theme").inner_text().endswith("light")
    assert dark.evaluate(paper) == light.evaluate(paper) != was
    dark.locator("#theme").click()
    assert dark.evaluate(paper) == was


def test_figures_and_table_can_be_taken_along(visit: Callable[..., Visit], report: Path) -> None:
    page = visit().page
    starts = {"svg": b"<svg", "png": b"\x89PNG"}
    for kind, start in starts.items():
        with page.expect_download() as download:
            page.locator(f"#figure-ladder button[data-kind={kind}]").click()
        assert download.value.suggested_filename == f"ladder.{kind}"
        assert Path(download.value.path()).read_bytes().startswith(start)
    with page.expect_download() as download:
        page.locator("a[download='results.csv']").click()
    assert Path(download.value.path()).read_bytes() == (report.parent / "results.csv").read_bytes()


def test_a_legend_entry_brings_its_setting_out(visit: Callable[..., Visit]) -> None:
    page = visit().page
    marks = "#chart-curves-by-epoch .valid_marks path"
    assert page.locator(f"{marks}[opacity='0.12']").count() == 0
    entry = page.locator("#chart-curves-by-epoch .role-legend-label text", has_text="gru").first
    entry.scroll_into_view_if_needed()
    box = entry.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(f"{marks}[opacity='0.12']").first.wait_for(state="attached")
    assert page.locator(f"{marks}[opacity='0.12']").count() == 6, "the two runs of three other settings"
    assert page.locator(f"{marks}[opacity='1']").count() == 2


def test_the_page_of_one_run_draws_as_well(visit: Callable[..., Visit], tmp_path: Path) -> None:
    one = made_up(seeds=1, models=("gru",), diverged=False, title="gru-1")
    seen = visit(width=360, address=write_run_report(one, tmp_path / "report.html"))
    assert seen.page.locator("figure .chart svg").count() == 2
    assert seen.console == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
