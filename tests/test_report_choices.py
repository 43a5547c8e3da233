"""What a reader chooses on the page, and the numbers that are drawn then: axis, smoothing, scales, runs, zoom."""

import csv
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from browsing import Visit, visiting
from comparisons import made_up
from glassloom.comparison import Comparison
from glassloom.report import write_report, write_run_report

CHART = "Chart.of.get(document.querySelector('#figure-curves-by-epoch'))"
ROWS = f"{CHART}.view.data('curves')"
SPLITS = {"train": "train_nats", "valid": "valid_nats"}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return made_up(points=40)


@pytest.fixture(scope="module")
def report(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(comparison, tmp_path_factory.mktemp("choices"))


@pytest.fixture
def visit(browser: Browser, report: Path) -> Iterator[Callable[..., Visit]]:
    with visiting(browser, report) as (open_page, visits):
        yield open_page
        for one in visits:
            assert one.console == []
            assert [address for address in one.requests if not address.startswith(("file:", "data:", "blob:"))] == []


def settled(page: Page) -> None:
    """Until what was asked for is drawn."""
    page.evaluate("Promise.all([...Chart.of.values()].map(chart => chart.drawn))")


def measured(comparison: Comparison, run: str, split: str, over: str = "epoch") -> tuple[list[float], list[float]]:
    """Places and losses of a run in bits per character, from the comparison itself."""
    [curve] = [one for one in comparison.curves if one.id == run]
    points = [point for point in curve.points if getattr(point, SPLITS[split]) is not None]
    return [getattr(point, over) for point in points], [getattr(point, SPLITS[split]) / math.log(2) for point in points]


def drawn(page: Page, run: str, split: str) -> list[dict[str, Any]]:
    return [row for row in page.evaluate(ROWS) if (row["run"], row["split"]) == (run, split)]


@pytest.mark.parametrize("over", ["step", "epoch", "tokens", "seconds"])
def test_the_axis_that_is_chosen_is_drawn(visit: Callable[..., Visit], comparison: Comparison, over: str) -> None:
    page = visit().page
    page.locator("#figure-curves-by-epoch select").select_option(over)
    settled(page)
    titles = {"step": "steps", "epoch": "epochs", "tokens": "tokens of", "seconds": "wall-clock"}
    assert page.locator("#chart-curves-by-epoch .role-axis-title text", has_text=titles[over]).count() == 1
    for split in SPLITS:
        places, losses = measured(comparison, "gru-1", split, over)
        rows = drawn(page, "gru-1", split)
        assert [row["x"] for row in rows] == pytest.approx(places, rel=1e-5)
        assert [row["y"] for row in rows] == pytest.approx(losses, rel=1e-5)
    assert page.evaluate(f"{CHART}.view.scale('x').domain()")[1] == pytest.approx(
        max(measured(comparison, "gru-1", "train", over)[0]), rel=1e-5
    )


def test_smoothing_draws_the_debiased_moving_average_and_leaves_the_dots(
    visit: Callable[..., Visit], comparison: Comparison
) -> None:
    page = visit().page
    slider = page.locator("#figure-curves-by-epoch input[name=smoothing]")
    slider.fill("0.6")
    assert page.locator("#figure-curves-by-epoch output").inner_text() == "0.6"
    page.evaluate(f"{CHART}.view.runAsync().then(() => null)")
    for split in SPLITS:
        _, losses = measured(comparison, "lstm-2", split)
        weights = [[0.6 ** (last - place) for place in range(last + 1)] for last in range(len(losses))]
        expected = [
            sum(w * loss for w, loss in zip(row, losses, strict=False)) / math.fsum(row) for row in weights
        ]  # fmt: skip
        rows = drawn(page, "lstm-2", split)
        assert [row["y"] for row in rows] == pytest.approx(expected, rel=1e-5)
        assert [row["measured"] for row in rows] == pytest.approx(losses, rel=1e-5)
    path = "#chart-curves-by-epoch .train_marks path"
    lines = page.locator(path).evaluate_all("all => all.map(p => p.getAttribute('d'))")
    runs = list(dict.fromkeys(row["run"] for row in page.evaluate(ROWS)))
    corners = [tuple(map(float, pair.split(","))) for pair in lines[runs.index("lstm-2")][1:].split("L")]
    scale = page.evaluate(f"(scale => [scale.domain(), scale.range()])({CHART}.view.scale('y'))")
    (low, high), (bottom, top) = scale
    pixels = [bottom + (row["y"] - low) / (high - low) * (top - bottom) for row in drawn(page, "lstm-2", "train")]
    assert [y for _, y in corners] == pytest.approx(pixels, abs=0.01), "what is drawn is what was computed"


def test_both_axes_can_be_logarithmic_and_the_training_curves_hidden(visit: Callable[..., Visit]) -> None:
    page = visit().page
    for name in ("log-x", "log-y"):
        assert page.evaluate(f"{CHART}.view.scale('{name[-1]}').type") == "linear"
        page.locator(f"#figure-curves-by-epoch input[name={name}]").check()
        settled(page)
        assert page.evaluate(f"{CHART}.view.scale('{name[-1]}').type") == "log"
    least, most = page.evaluate(f"{CHART}.view.scale('x').domain()")
    assert least == pytest.approx(min(row["x"] for row in page.evaluate(ROWS)))
    assert 0 < least < most
    page.locator("#figure-curves-by-epoch input[name=train]").uncheck()
    settled(page)
    assert {row["split"] for row in page.evaluate(ROWS)} == {"valid"}


def test_the_numbers_of_the_curves_can_be_taken_along(visit: Callable[..., Visit], comparison: Comparison) -> None:
    page = visit().page
    with page.expect_download() as download:
        page.locator("#figure-curves-by-epoch button[data-kind=csv]").click()
    rows = list(csv.DictReader(Path(download.value.path()).read_text(encoding="utf-8").splitlines()))
    assert len(rows) == sum(
        (point.train_nats is not None) + (point.valid_nats is not None)
        for curve in comparison.curves for point in curve.points
    )  # fmt: skip
    for split in SPLITS:
        some = [row for row in rows if (row["run"], row["split"]) == ("rnn-2", split)]
        steps, losses = measured(comparison, "rnn-2", split, "step")
        assert [int(row["step"]) for row in some] == steps
        assert [float(row["bits per character"]) for row in some] == pytest.approx(losses, rel=1e-5)


def test_every_table_sorts_and_has_its_numbers_as_csv(visit: Callable[..., Visit], comparison: Comparison) -> None:
    page = visit().page
    tables = page.locator("table")
    assert tables.count() == 4
    for place in range(tables.count()):
        assert tables.nth(place).locator("thead th button").count() == tables.nth(place).locator("thead th").count()
    with page.expect_download() as download:
        page.locator("#runs a[download]").click()
    rows = {row["run"]: row for row in csv.DictReader(Path(download.value.path()).read_text("utf-8").splitlines())}
    assert set(rows) == {row.id for row in comparison.rows}
    for row in comparison.rows:
        told = rows[row.id]
        assert told["lr"] == str(row.settings["lr"])
        assert told["state"] == row.status
        known = row.nats_per_token is not None
        assert float(told["valid bits per character"] or -1) == (row.nats_per_token / math.log(2) if known else -1)
    page.locator("#runs thead button", has_text="valid bits").click()
    order = page.locator("#runs tbody tr").evaluate_all("rows => rows.map(row => row.cells[0].dataset.value)")
    finished = [row for row in comparison.rows if row.nats_per_token is not None]
    assert order == [*(row.id for row in sorted(finished, key=lambda row: row.nats_per_token)), "rnn lr=1-1"]


FILTERS = {
    "gru*, !*-2": {"gru-1"},
    "GRU": {"gru-1", "gru-2"},
    "r*-?": {"rnn-1", "rnn-2", "rnn lr=1-1"},
    "lr=1": {"rnn lr=1-1"},
    "!rnn": {"gru-1", "gru-2", "lstm-1", "lstm-2", "transformer-1", "transformer-2"},
    "[a-z]": set(),
    "": {"rnn-1", "rnn-2", "gru-1", "gru-2", "lstm-1", "lstm-2", "transformer-1", "transformer-2", "rnn lr=1-1"},
}


def test_a_pattern_leaves_its_runs_in_every_table_figure_and_sample(visit: Callable[..., Visit]) -> None:
    page = visit().page
    for pattern, expected in FILTERS.items():
        page.locator("#filter input").fill(pattern)
        page.locator("#filter output", has_text=f"{len(expected)} of 9").wait_for()
        settled(page)
        rows = "#runs tbody tr:not([hidden])"
        assert set(page.locator(rows).evaluate_all("rows => rows.map(r => r.cells[0].dataset.value)")) == expected
        assert {row["run"] for row in page.evaluate(ROWS)} == expected - {"rnn lr=1-1"}, "one has no curve"
        samples = page.locator("article.sample[data-of]:not([hidden]) h3").all_inner_texts()
        assert set(samples) == expected - {"rnn lr=1-1"}
        settings = {"rnn lr=1" if "lr=1" in run else run.rpartition("-")[0] for run in expected}
        shown = page.locator("#results tbody tr:not([hidden])").count()
        assert shown == len(settings) == page.locator("details.settings:not([hidden])").count()
        ladder = "Chart.of.get(document.querySelector('#figure-ladder')).view.data('figures').map(row => row.name)"
        models = [name for name in page.evaluate(ladder) if name in {"rnn", "gru", "lstm", "transformer"}]
        assert set(models) == settings - {"rnn lr=1"}


def test_a_figure_is_zoomed_by_its_buttons_and_by_the_wheel_with_a_key(visit: Callable[..., Visit]) -> None:
    page = visit().page
    domain = f"['x', 'y'].map(name => {CHART}.view.scale(name).domain())"
    whole = page.evaluate(domain)
    zoom = page.locator("#figure-curves-by-epoch .zoom")
    zoom.get_by_text("Zoom in").focus()
    page.keyboard.press("Enter")
    page.evaluate(f"{CHART}.view.runAsync().then(() => null)")
    for (low, high), (was_low, was_high) in zip(page.evaluate(domain), whole, strict=True):
        assert high - low == pytest.approx((was_high - was_low) / 1.5)
        assert low + high == pytest.approx(was_low + was_high)
    zoom.get_by_text("whole").click()
    page.evaluate(f"{CHART}.view.runAsync().then(() => null)")
    assert page.evaluate(domain) == whole
    page.locator("#chart-curves-by-epoch").scroll_into_view_if_needed()
    box = page.locator("#chart-curves-by-epoch svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = page.evaluate("window.scrollY")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    (low, high), _ = page.evaluate(domain)
    assert high - low < whole[0][1] - whole[0][0]
    assert page.evaluate("window.scrollY") == before
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(200)
    assert page.evaluate("window.scrollY") < before, "without the key the page scrolls"


def test_a_point_tells_its_run_and_all_four_places(visit: Callable[..., Visit]) -> None:
    page = visit().page
    point = page.locator("#chart-curves-by-epoch .reach_marks path").nth(3)
    point.scroll_into_view_if_needed()
    point.hover(force=True)
    told = page.locator("#vg-tooltip-element.visible")
    told.wait_for()
    for word in ("run", "split", "bits per character", "steps", "epochs", "tokens", "time"):
        assert word in told.inner_text()


@pytest.fixture(scope="module")
def fifty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty runs of four architectures, each with a setting of its own and a thousand measured points."""
    whole = made_up(seeds=13, points=1000, diverged=False)
    rows = tuple(
        replace(row, setting=row.id, settings={**row.settings, "dropout": place / 100})
        for place, row in enumerate(whole.rows[:50])
    )  # fmt: skip
    kept = {row.id for row in rows}
    return write_run_report(
        replace(whole, rows=rows, curves=tuple(curve for curve in whole.curves if curve.id in kept),
                samples=tuple(sample for sample in whole.samples if sample.id in kept)),
        tmp_path_factory.mktemp("fifty") / "report.html",
    )  # fmt: skip


@pytest.mark.parametrize("width", [390, 1280])
def test_a_report_of_fifty_runs_can_be_used(visit: Callable[..., Visit], fifty: Path, width: int) -> None:
    assert fifty.stat().st_size < 5_000_000
    page = visit(width=width, address=fifty).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    legend = page.locator("#chart-curves-by-epoch .role-legend-label text").all_text_contents()
    assert set(legend) == {"rnn", "gru", "lstm", "transformer", "valid", "train"}, "a legend of architectures"
    assert len({row["run"] for row in page.evaluate(ROWS)}) == 50
    assert page.locator("#runs tbody tr").count() == 50
    assert page.locator("#samples article").first.is_hidden(), "fifty samples are folded away"
    page.locator("#filter input").fill("transformer")
    page.locator("#filter output", has_text="11 of 50").wait_for()
    settled(page)
    assert {row["run"].rpartition("-")[0] for row in page.evaluate(ROWS)} == {"transformer"}
    labels = page.locator("#chart-ladder .role-axis-label text", has_text="transformer").count()
    assert labels == 11
