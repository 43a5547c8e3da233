"""Every figure of every kind, as a file: its title, and what its axes are, in its own letters."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from comparisons import made_up
from glassloom.report import write_report
from glassloom.report.drawing import as_svg, show
from pages import bars, coloured, lines, matrices, points

TEXT = "{http://www.w3.org/2000/svg}text"


def words_of(svg: str) -> str:
    return " ".join(" ".join("".join(one.itertext()).split()) for one in ElementTree.fromstring(svg).iter(TEXT))


@pytest.mark.parametrize(
    ("exhibit", "axes"),
    [
        (lines(), ("epoch", "perplexity")),
        (bars(), ("nats a sequence",)),
        (points(), ("first a", "second")),
        (matrices(unit="share"), ("share", "rows: query a; columns: key")),
        (matrices("one", 1, unit="bits"), ("bits", "query a", "key")),
        (coloured(), ("bits",)),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_a_figure_as_a_file_says_what_it_is(exhibit, axes: tuple[str, ...]) -> None:
    svg = as_svg(show(exhibit))
    assert svg is not None
    words = words_of(svg)
    assert exhibit.title in words
    for axis in axes:
        assert axis in words


def test_a_long_title_is_set_in_lines() -> None:
    svg, short = (as_svg(show(replace(lines(), title=title))) for title in ("word " * 40, "word"))
    assert svg is not None
    assert short is not None
    wide, usual = (float(ElementTree.fromstring(one).get("width", "0")) for one in (svg, short))
    assert usual > 600
    assert wide == pytest.approx(usual, abs=12)
    assert words_of(svg).count("word") >= 40


def test_the_figures_of_a_report_carry_their_titles(tmp_path: Path) -> None:
    write_report(made_up(seeds=1, points=12), tmp_path)
    titles = {"ladder": "Where the models stand", "curves-by-epoch": "Learning, pass by pass",
              "curves-by-time": "Learning, second by second", "time-and-quality": "Time against quality"}  # fmt: skip
    for name, title in titles.items():
        words = words_of((tmp_path / "figures" / f"{name}.svg").read_text(encoding="utf-8"))
        assert title in words
        assert "bits per character" in words
