"""What a reader of the page meets at its edges: no run that fits, a table wider than the screen, many names, a file."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page

from browsing import Visit, visiting
from comparisons import made_up
from glassloom.comparison import Comparison, recommend
from glassloom.report import exhibition_as_html, write_run_report
from glassloom.report.placing import box_of, overlap, placed
from pages import matrices
from pages import page as made_page


def many(count: int) -> Comparison:
    """So many settings with long names, their times and losses drawn close together."""
    whole = made_up(seeds=1, points=6, models=("gru", "lstm"), diverged=False)
    drawn = random.Random(count)
    rows, curves = [], []
    for place in range(count):
        name = f"{('gru', 'lstm')[place % 2]} dropout=0.{place:02d}"
        nats = 1.3 + 0.3 * drawn.random() ** 2
        rows.append(replace(
            whole.rows[place % 2], id=f"{name}-1", setting=name, seconds=20 + 30 * drawn.random(), nats_per_token=nats,
            settings={"lr": 0.002, "dropout": place / 100}, valid_bits_per_character=nats / 0.693,
        ))  # fmt: skip
        curves.append(replace(whole.curves[place % 2], id=f"{name}-1"))
    advice = recommend(rows, whole.corpus, curves, whole.baselines)
    return replace(whole, rows=tuple(rows), curves=tuple(curves), samples=(), recommendation=advice)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("reading")
    found = {count: write_run_report(many(count), folder / f"{count}.html") for count in (4, 50)}
    return {**found, 0: write_run_report(made_up(seeds=2, points=12), folder / "whole.html")}


@pytest.fixture
def visit(browser: Browser, pages: dict[int, Path]) -> Iterator[Callable[..., Visit]]:
    with visiting(browser) as (open_page, visits):
        yield lambda count=0, width=1280: open_page(pages[count], width)
        for one in visits:
            assert one.console == []


def filtered(page: Page, pattern: str) -> None:
    page.locator("#filter input").fill(pattern)
    page.wait_for_timeout(250)
    page.evaluate("Promise.all([...Chart.of.values()].map(chart => chart.drawn))")


def test_where_no_run_fits_a_sentence_stands_instead_of_bare_frames(visit: Callable[..., Visit]) -> None:
    page = visit().page
    bare = "figure .chart, table.sortable:has([data-of]), .samples"
    shown = page.locator(bare).locator("visible=true").count()
    assert shown >= 6
    filtered(page, "no such run")
    assert page.locator("#filter output").inner_text() == "0 of 9"
    assert page.locator(bare).locator("visible=true").count() == 0
    sentences = page.locator(".none").locator("visible=true").all_inner_texts()
    assert len(sentences) >= 6
    assert set(sentences) == {"Nothing here fits “no such run”: change the pattern above, or empty it."}
    filtered(page, "lr=1")  # of a run that diverged there is a row, and nothing to draw
    assert page.locator("table.sortable:has([data-of])").locator("visible=true").count() >= 1
    assert page.locator("#figure-time-and-quality .chart").is_hidden()
    assert page.locator("#figure-time-and-quality .none").is_visible()
    filtered(page, "gru")
    assert page.locator(".none").locator("visible=true").count() < len(sentences)
    filtered(page, "")
    assert page.locator(".none").count() == 0
    assert page.locator(bare).locator("visible=true").count() == shown


@pytest.mark.parametrize("width", [1280, 390])
def test_what_is_wider_than_the_screen_says_so_and_is_reached_by_keys(visit: Callable[..., Visit], width: int) -> None:
    page = visit(0, width).page
    wider = "node => node.scrollWidth > node.clientWidth + 1"
    frames = page.locator(".scroll[tabindex='0']")
    told = 0
    for frame in frames.all():
        hint = frame.locator("xpath=following-sibling::p[1][contains(@class, 'scroll-hint')]")
        is_wider = frame.evaluate(wider)
        assert hint.is_visible() == is_wider
        if is_wider:
            told += 1
            assert "More to the right" in hint.inner_text()
            assert frame.get_attribute("role") == "region"
            frame.focus()
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(200)
            assert frame.evaluate("node => node.scrollLeft") > 0
            frame.evaluate("node => { node.scrollLeft = node.scrollWidth; }")
            page.wait_for_timeout(50)
            assert "to the left" in hint.inner_text()
    assert told >= (2 if width < 500 else 0)


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("count", [4, 50])
def test_no_name_beside_a_point_lies_on_another(visit: Callable[..., Visit], count: int, width: int) -> None:
    page = visit(count, width).page
    boxes = page.evaluate(
        "[...document.querySelectorAll('#figure-time-and-quality [class*=\" labels_\"] text')].map(text => {"
        "const { left, top, right, bottom } = text.getBoundingClientRect();"
        "return [left, top + 3, right, bottom - 3]; })"
    )
    assert len(boxes) >= (3 if width > 500 else 1)
    assert len(boxes) <= count
    laid_over = [pair for pair in itertools.combinations(boxes, 2) if overlap(*map(tuple, pair))]
    assert laid_over == []


def test_names_take_the_first_free_place_and_what_fits_nowhere_has_none() -> None:
    points = [(0.5, 0.5)] * 12
    found = placed(["abc"] * 12, points, 400, 300)
    known = [place for place in found if place is not None]
    assert known[0] == "right-above"
    assert len(set(known)) == len(known) < 12, "each place once"
    boxes = [box_of("abc", 200, 150, place) for place in known]
    assert not any(overlap(one, other) for one, other in itertools.combinations(boxes, 2))
    assert placed(["a long name at the edge"], [(0.95, 0.5)], 400, 300) == ["left-above"]
    assert placed(["a name that is far too long for such a frame"], [(0.5, 0.5)], 100, 100) == [None]


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_saved_figure_carries_its_title(visit: Callable[..., Visit], kind: str) -> None:
    page = visit(4).page
    figure = page.locator("#figure-time-and-quality")
    with page.expect_download() as download:
        figure.locator(f".save button[data-kind={kind}]").click()
    content = Path(download.value.path()).read_bytes()
    if kind == "png":
        assert content.startswith(b"\x89PNG")
        return
    root = ElementTree.fromstring(content)
    words = [" ".join("".join(one.itertext()).split()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == "Time against quality"
    assert "wall-clock seconds to the best validation loss" in words
    assert "bits per character" in words


def test_saved_matrices_say_what_they_are_and_how_far_their_scale_goes(browser: Browser, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(exhibition_as_html(made_page(matrices(count=3, unit="share"))), encoding="utf-8")
    with visiting(browser, path) as (open_page, visits):
        page = open_page().page
        with page.expect_download() as download:
            page.locator("#figure-attention .save button[data-kind=svg]").click()
        root = ElementTree.fromstring(Path(download.value.path()).read_bytes())
        words = ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]
        assert words[0] == "Attention a"
        assert "0 to 1 share. Rows: query a. Columns: key." in words
        assert visits[0].console == []
