"""A page of exhibits: what stands in it, what its pixels say, what may not happen, and what lies beside it."""

import base64
import csv
import io
import itertools
import json
import re
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings

from comparisons import MARKUP, made_up
from glassloom.exhibits import Axis, Bar, Bars, Column, Lines, Matrices, Matrix, Series, Table, Text, Texts
from glassloom.report import Section, exhibition_as_html, write_page
from glassloom.report.colours import PALETTE, PAPER, colours_by_name
from glassloom.report.drawing import cell_text, show
from glassloom.report.figures import NAMES
from glassloom.report.lines import frame_of_lines, named
from glassloom.report.pixels import DARK, LIGHT, LIGHT_BELOW
from pages import bars, every_kind, lines, page, prose, table, texts
from test_report import HOSTILE, Seen, digest

DRAWN = {"curves", "excess", "attention", "one", "coloured", "points", "parallel"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(page(*every_kind(), compared=True), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def seen(written: Path) -> Seen:
    return Seen(written.read_text(encoding="utf-8"))


def test_every_figure_and_table_lies_beside_the_page(written: Path) -> None:
    folder = written.parent
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    compared = {f"words-{name}" for name in NAMES}
    expected = {f"figures/{name}.{kind}" for name in DRAWN | compared for kind in ("svg", "png")}
    expected |= {f"figures/{name}.csv" for name in DRAWN} | {
        "tables/results.csv",
        "rows.csv",
        "report.html",
        "page.json",
    }
    expected |= {f"tables/words-{name}" for name in ("results.csv", "table.tex", "table.md")}
    assert there == expected
    for name in DRAWN | compared:
        assert ElementTree.parse(folder / "figures" / f"{name}.svg").getroot().tag.endswith("svg")
        png = (folder / "figures" / f"{name}.png").read_bytes()
        assert png.startswith(b"\x89PNG")
        assert struct.unpack(">I", png[16:20])[0] > 700


def test_the_page_holds_every_exhibit_in_its_order(seen: Seen) -> None:
    text = " ".join(seen.text.split())
    places = [
        text.index(words)
        for words in ("Of words A page.", "All runs", "Table 1. Settings 3.1a", "Figure 4. Learning 3.1a",
                      "Figure 5. Excess", "Figure 6. Attention", "Figure 7. Attention", "Samples 3.1", "To repeat it")
    ]  # fmt: skip
    assert places == sorted(places)
    ids = [a["id"] for _, a in seen.tags if "id" in a]
    assert len(set(ids)) == len(ids), "an id names one element"


def test_a_page_without_a_chart_is_spared_what_draws_charts() -> None:
    without, with_one = (exhibition_as_html(page(*some)) for some in ((table(), texts()), (table(), lines())))
    assert len(with_one) - len(without) > 500_000
    assert len(without) < 100_000


def test_four_sections_have_a_table_of_contents_and_two_have_none() -> None:
    few = page(prose())
    assert "<nav" not in exhibition_as_html(few)
    more = [Section(title=title, exhibits=(prose(f"p{place}"),)) for place, title in enumerate("ABCד")]
    whole = Seen(exhibition_as_html(type(few)(**{**vars(few), "sections": tuple(more)})))
    links = [a["href"] for tag, a in whole.tags if tag == "a" and (a.get("href") or "").startswith("#section")]
    assert links == ["#section-a", "#section-b", "#section-c", "#section-section-4"]
    assert {f"#{a.get('id')}" for _, a in whole.tags} >= set(links)


def test_the_page_loads_nothing_and_runs_only_what_it_brought(seen: Seen) -> None:
    (policy,) = [a["content"] or "" for tag, a in seen.tags if tag == "meta" and a.get("http-equiv")]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    for tag, attributes in seen.tags:
        assert "src" not in attributes, tag
        assert tag not in {"link", "iframe", "base", "object", "embed"}
        assert (attributes.get("href") or "#").startswith(("#", "data:"))
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert not re.search(r"url\(|@import", "".join(seen.inside["style"]))
    kinds = [a.get("type") for tag, a in seen.tags if tag == "script"]
    for kind, content in zip(kinds, seen.inside["script"], strict=True):
        assert kind == "application/json" or digest(content) in policy
    assert digest(seen.inside["style"][0]) in policy


@settings(max_examples=4, deadline=None)
@example(MARKUP)
@example("<!--<script>")
@example('"/><svg onload=alert(1)>')
@given(HOSTILE)
def test_any_text_stays_text_in_every_exhibit(text: str) -> None:
    pages = (page(*every_kind(f"text {one}"), text=f"text {one}") for one in ("safe", text))
    harmless, hostile = (Seen(exhibition_as_html(whole)) for whole in pages)
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert [sorted(a) for _, a in hostile.tags] == [sorted(a) for _, a in harmless.tags]


@pytest.mark.parametrize("text", [MARKUP, "a\\'); alert('", 'two"\nlines\x00\uffff'])
def test_any_text_stands_in_the_files_of_figures(text: str, tmp_path: Path) -> None:
    write_page(page(*every_kind(text)), tmp_path)
    for name in DRAWN:
        root = ElementTree.parse(tmp_path / "figures" / f"{name}.svg").getroot()
        assert not [one for one in root.iter() if one.tag.endswith("script")]


def pixels(png: bytes) -> tuple[list[list[int]], list[tuple[int, ...]], bytes]:
    """A palette PNG read back by its specification: the rows of indices, the colours, what is clear."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    place = 8
    while place < len(png):
        (size,) = struct.unpack(">I", png[place : place + 4])
        kind, data = png[place + 4 : place + 8], png[place + 8 : place + 8 + size]
        (check,) = struct.unpack(">I", png[place + 8 + size : place + 12 + size])
        assert check == zlib.crc32(kind + data)
        chunks[kind] = data
        place += 12 + size
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (8, 3)
    raw = zlib.decompress(chunks[b"IDAT"])
    lines = [raw[row * (width + 1) : (row + 1) * (width + 1)] for row in range(height)]
    assert {line[0] for line in lines} == {0}, "no line is filtered"
    flat = chunks[b"PLTE"]
    colours = [tuple(flat[place : place + 3]) for place in range(0, len(flat), 3)]
    return [list(line[1:]) for line in lines], colours, chunks[b"tRNS"]


def pictures(text: str, figure: str) -> list[bytes]:
    within = text.split(f'id="figure-{figure}"')[1].split("</figure>")[0]
    found = re.findall(r'<image[^>]*href="data:image/png;base64,([^"]+)"', within)
    return [base64.b64decode(one) for one in found]


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def test_every_value_of_a_matrix_is_a_pixel_of_its_picture(written: Path) -> None:
    drawn = pictures(written.read_text(encoding="utf-8"), "attention")
    assert len(drawn) == 2 * 3 + 2, "three matrices and the scale, in light and in dark"
    for place, png in enumerate(drawn[:6]):
        rows, colours, clear = pixels(png)
        # 1 + 254 * value, rounded: 0.25 is 64.5, which rounds to the even 64 before the 1; None is 0; 2.0 is cut at 1
        assert rows == [[1, 65, 0], [255, 128, 255]]
        assert clear == b"\0"
        stops = DARK if place % 2 else LIGHT
        assert (colours[1], colours[128], colours[255]) == (rgb(stops[0]), rgb(stops[2]), rgb(stops[4]))
    assert pixels(drawn[6])[0] == [list(range(1, 256))]


def test_a_scale_of_both_signs_has_its_zero_in_the_middle() -> None:
    one = Matrix(title="", rows=("a",), columns=tuple("bcdef"), values=((-0.4, -0.2, 0.0, 0.1, 0.4),))
    both = Matrices(name="m", title="", row_axis="", column_axis="", matrices=(one,), low=-0.1, high=0.4)
    rows, colours, _ = pixels(pictures(exhibition_as_html(page(both)), "m")[0])
    # 127 steps of colour for 0.4: 0.1 is 31.75 steps above 128
    assert rows == [[1, 64, 128, 160, 255]] or rows == [[1, 65, 128, 160, 255]]
    assert (colours[1], colours[128], colours[255]) == (rgb(LIGHT_BELOW[4]), rgb(LIGHT[0]), rgb(LIGHT[4]))


def test_values_under_the_pointer_are_those_of_the_matrix(seen: Seen) -> None:
    found = [json.loads(s) for s in seen.inside["script"] if s.startswith('{"column_axis') or '"row_axis"' in s[:400]]
    data = next(one for one in found if len(one["matrices"]) == 3)
    first = data["matrices"][0]
    assert first["values"] == [0.0, 0.25, None, 1.0, 0.5, 2.0]
    assert data["labels"][first["rows"]] == ["3.1a", "b"]
    assert data["labels"][first["columns"]] == ["x", "␣", "3.1a"]


def test_sixty_four_heads_of_thirty_six_tokens_fit_into_a_page() -> None:
    labels = tuple(str(place) for place in range(36))
    values = tuple(tuple((row * 7 + column * 3) % 100 / 99 for column in range(36)) for row in range(36))
    heads = tuple(Matrix(title=f"head {n}", rows=labels, columns=labels, values=values) for n in range(64))
    text = exhibition_as_html(page(Matrices(name="m", title="", row_axis="q", column_axis="k", matrices=heads)))
    drawn = pictures(text, "m")
    assert len(drawn) == 130
    assert pixels(drawn[0])[0][5][7] == 1 + round(254 * 56 / 99)
    assert len(text) < 3_500_000


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (1234.567, Column("a", ",.2f"), "1,234.57"),
        (-0.0123, Column("a", "+.1%"), "−1.2%"),
        (3609282, Column("a", ","), "3,609,282"),
        (2, Column("a", ".2f"), "2.00"),
        (None, Column("a", ".2f"), "–"),
        (float("nan"), Column("a", ".2f"), "–"),
        (float("-inf"), Column("a"), "−∞"),
        (0.1 + 0.2, Column("a"), "0.3"),
        (12345678, Column("a"), "12345678"),
        ("diverged", Column("a", ".2f"), "diverged"),
        (False, Column("a"), "no"),
    ],
)
def test_cells_are_written_as_their_column_says(value: object, column: Column, text: str) -> None:
    assert cell_text(value, column) == text  # type: ignore[arg-type]


def test_a_table_keeps_what_it_sorts_by_and_shows_bold_rows(seen: Seen, written: Path) -> None:
    cells = [a.get("data-value") for tag, a in seen.tags if tag == "td" and "data-value" in a]
    assert cells[-12:] == ["3.1a", "1234.567", "-0.0123", "0.001", "3.1a", "126.0", "", "1.0", "3.1c", "Infinity",
                           "0.5", "diverged"]  # fmt: skip
    body = written.read_text(encoding="utf-8").split('id="results"')[1].split("</table>")[0]
    assert re.findall(r'<tr class="best">\s*<td[^>]*><bdi><strong>([^<]+)', body) == ["3.1a"]
    rows = list(csv.reader(io.StringIO((written.parent / "tables" / "results.csv").read_text(encoding="utf-8"))))
    assert rows[1:] == [["3.1a", "1234.567", "-0.0123", "0.001"], ["3.1a", "126.0", "", "1.0"],
                        ["3.1c", "inf", "0.5", "diverged"]]  # fmt: skip


def test_marked_stretches_prompts_and_truth_are_told_apart(seen: Seen) -> None:
    text = exhibition_as_html(page(texts(text="abcdefgh")))
    quoted = re.findall(r"<blockquote[^>]*>(.*?)</blockquote>", text, re.DOTALL)
    assert quoted[0].endswith("</span>abcdefgh" + texts().texts[0].truth.removeprefix(texts().texts[0].text))  # type: ignore[union-attr]
    assert quoted[1].endswith("<mark>abcde</mark>fgh")
    assert "to  be\nor " in quoted[3], "white space is kept"
    assert quoted[4] == "nothing before it"
    assert text.count('class="long"') == 1


def test_series_of_one_name_share_a_colour_and_others_do_not() -> None:
    assert [(one.entry, one.what) for one in named(lines().series)] == [
        ("3.1a", "valid"), ("3.1a", "train"), ("gru", "valid"),
    ]  # fmt: skip
    layers = [Series(name=f"rnn · layer {n}", x=(1.0,), y=(1.0,)) for n in (1, 2)]
    assert [one.entry for one in named(layers)] == ["rnn · layer 1", "rnn · layer 2"]


def test_curves_break_at_gaps_and_at_what_a_logarithm_has_no_place_for() -> None:
    spec = show(lines()).figure.spec  # type: ignore[union-attr]
    rows = spec["datasets"]["curves"]
    parts = {part: [row["y"] for row in rows if row["part"] == part] for part in {row["part"] for row in rows}}
    assert parts == {
        "3.1a · valid 0": [400.0, 200.0], "3.1a · valid 1": [150.0], "3.1a · train 0": [300.0, 150.0, 100.0],
        "gru · valid 0": [350.0, 180.0, 140.0, 130.0],
    }  # fmt: skip
    assert [row["dot"] for row in rows if row["part"] == "3.1a · valid 1"] == [2], "a lone point is a large dot"
    assert [(band["y"], band["high"]) for band in spec["datasets"]["bands"]] == [(340.0, 360.0)] * 4
    assert [row["label"] for row in spec["datasets"]["baselines"]] == ["Kneser-Ney 3.1a 147.7"]


def test_a_mark_far_from_the_curves_is_told_instead_of_drawn() -> None:
    shown = show(lines())
    assert shown.figure is not None
    assert shown.figure.caption.endswith("Outside the frame: uniform 1e+09.")
    frame = frame_of_lines(lines())
    assert frame is not None
    # the curves lie between 100 and 400: their logarithms are 1.386 apart, and a twentieth of it is the margin
    assert frame.low == pytest.approx(100 * 0.25**0.05)
    assert frame.high == pytest.approx(400 * 4**0.05)


def test_long_curves_are_thinned_to_what_altair_draws() -> None:
    x = tuple(float(place) for place in range(50_000))
    many = tuple(Series(name=f"s{n}", x=x, y=tuple(n + place % 7 for place in range(50_000))) for n in range(3))
    spec = show(Lines(name="m", title="", x=Axis("x"), y=Axis("y"), series=many)).figure.spec  # type: ignore[union-attr]
    rows = spec["datasets"]["curves"]
    assert 3_000 < len(rows) < 5_000
    assert {row["y"] for row in rows if row["name"] == "s0"} >= {0, 6}


def test_bars_stand_in_their_order_with_their_values_in_words() -> None:
    shown = show(bars())
    assert shown.figure is not None
    rows = shown.figure.spec["datasets"]["bars"]
    assert [row["written"] for row in rows] == ["0.013", "–", "−0.05", "0.12"]
    assert rows[0]["colour"] == rows[2]["colour"] != rows[3]["colour"]
    assert shown.figure.words == (
        "ndfa (gru): 0.013.", "ndfa (rnn): –.", "toy (gru): −0.05.", "toy (ndfa): 0.12.", "Marked: ndfa 0.02.",
    )  # fmt: skip


def test_exhibits_without_a_value_have_a_place_on_the_page() -> None:
    none = Series(name="a", x=(1.0, 2.0), y=(None, float("nan")))
    empty = (
        Lines(name="lines", title="L", x=Axis("x"), y=Axis("y"), series=(none,)),
        Lines(name="nothing", title="N", x=Axis("x"), y=Axis("y"), series=()),
        Bars(name="bars", title="B", value=Axis("v"), bars=(Bar(label="a", value=None),)),
        Table(name="table", title="T", columns=(Column("a"),), rows=()),
        Matrices(name="matrices", title="M", row_axis="r", column_axis="c", matrices=()),
    )
    text = Seen(exhibition_as_html(page(*empty))).text
    assert text.count("There is no value that could be drawn.") == 3
    assert "a: no values." in text


def test_names_are_unique_and_plain() -> None:
    with pytest.raises(AssertionError, match="these do not: answer"):
        exhibition_as_html(page(prose(), prose()))
    with pytest.raises(AssertionError, match="small letters"):
        exhibition_as_html(page(prose("../answer")))
    with pytest.raises(AssertionError, match="words-ladder"):
        exhibition_as_html(page(lines("words-ladder"), compared=True))


def test_two_comparisons_stand_on_one_page_without_sharing_names() -> None:
    one = made_up(seeds=1, points=6, models=("gru",), diverged=False)
    whole = page()
    sections = tuple(Section(title=title, comparison=one) for title in ("Words", "Characters"))
    seen = Seen(exhibition_as_html(type(whole)(**{**vars(whole), "sections": sections})))
    ids = [a["id"] for _, a in seen.tags if "id" in a]
    assert {"words-results", "characters-results", "chart-words-ladder", "chart-characters-ladder"} <= set(ids)
    assert len(set(ids)) == len(ids)


def luminance(colour: tuple[float, ...]) -> float:
    return sum(w * part for w, part in zip((0.2126, 0.7152, 0.0722), colour, strict=True))


def linear(colour: str) -> tuple[float, ...]:
    parts = [part / 255 for part in rgb(colour)]
    return tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)


def oklab(colour: tuple[float, ...]) -> tuple[float, float, float]:
    """Ottosson (2020): the distance of two colours in it is how different they look."""
    r, g, b = colour
    long, middle, short = (
        max(0.0, cone) ** (1 / 3)
        for cone in (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
                     0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
                     0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    )  # fmt: skip
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


VISIONS = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
"""Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as it is seen."""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("vision", VISIONS)
def test_fifteen_colours_are_told_apart_by_any_eyes_on_light_and_on_dark(vision: str, dark: bool) -> None:
    colours = [linear(colour) for colour in (PALETTE.values() if dark else PALETTE)]
    paper = luminance(linear("#171613" if dark else PAPER))
    for colour in colours:
        lighter, darker = max(luminance(colour), paper), min(luminance(colour), paper)
        assert (lighter + 0.05) / (darker + 0.05) > 3, "WCAG 2.1 asks 3 of what is drawn"
    looks = []
    for colour in colours:
        mixed = (sum(w * part for w, part in zip(row, colour, strict=True)) for row in VISIONS[vision])
        looks.append(oklab(tuple(min(1.0, max(0.0, part)) for part in mixed)))
    apart = min(
        sum((a - b) ** 2 for a, b in zip(*pair, strict=True)) ** 0.5 for pair in itertools.combinations(looks, 2)
    )
    assert apart > (0.09 if vision == "full" else 0.045)


def test_names_beyond_fifteen_still_differ() -> None:
    names = [f"s{place}" for place in range(40)]
    assert len(set(colours_by_name([*names, "gru", "lstm"]).values())) == 42


def test_many_samples_are_folded_away_below_their_title() -> None:
    text = Text(label="one", text="to be")
    both = [Texts(name=name, title=name, texts=(text,), folded=name == "all") for name in ("best", "all")]
    whole = exhibition_as_html(page(*both))
    fold = whole[whole.index('id="all"') :]
    assert re.search(r'<details class="more"><summary[^>]*>all</summary>.*to be.*</details>', fold, re.DOTALL)
    assert "<details" not in whole[whole.index('id="best"') : whole.index('id="all"')]
