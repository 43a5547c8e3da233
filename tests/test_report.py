"""The report as files: what is in the page, what it may not do, and what lies beside it."""

import base64
import dataclasses
import hashlib
import html.parser
import json
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest
import vl_convert
from hypothesis import example, given, settings
from hypothesis import strategies as st

from comparisons import ENGLISH, HEBREW, MARKUP, baseline, made_up, no_recommendation, row
from glassloom.comparison import Comparison, CorpusFacts, Curve, Point, settings_of
from glassloom.errors import StorageError
from glassloom.report import figures_of, page_as_html, write_report, write_run_report
from glassloom.report.colours import OF_MODEL, colours_of
from glassloom.report.figures import NAMES, drawings_of, spec_of_file
from glassloom.report.series import POINTS_OF_A_FIGURE, frame_of, labels_of, series_of, thin


class Seen(html.parser.HTMLParser):
    """The elements of a page, its scripts and styles, and its readable text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))
        if tag in self.inside:
            self.inside[tag].append("")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in self.inside:
            self.inside[self.open[-1]][-1] += data
        else:
            self.text += data


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return made_up()


@pytest.fixture(scope="module")
def report(comparison: Comparison, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(comparison, tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def seen(report: Path) -> Seen:
    return Seen(report.read_text(encoding="utf-8"))


def test_every_file_is_written_and_nothing_else(report: Path) -> None:
    figures = {f"figures/{name}.{kind}" for name in NAMES for kind in ("svg", "png")}
    expected = {"report.html", "results.json", "results.csv", "table.tex", "table.md"} | figures
    written = {str(path.relative_to(report.parent)) for path in report.parent.rglob("*") if path.is_file()}
    assert written == expected


def test_the_results_beside_the_page_read_back_as_the_comparison(report: Path, comparison: Comparison) -> None:
    assert Comparison.from_json((report.parent / "results.json").read_bytes()) == comparison


def test_figures_are_real_pictures(report: Path) -> None:
    for name in NAMES:
        svg = ElementTree.parse(report.parent / "figures" / f"{name}.svg").getroot()
        assert svg.tag.endswith("svg")
        assert len(list(svg.iter())) > 30
        png = (report.parent / "figures" / f"{name}.png").read_bytes()
        width, _ = struct.unpack(">II", png[16:24])
        assert png.startswith(b"\x89PNG")
        assert width > 1000


def test_four_models_make_a_page_below_five_megabytes(report: Path) -> None:
    assert report.stat().st_size < 5_000_000


def test_the_page_loads_nothing(seen: Seen) -> None:
    for tag, attributes in seen.tags:
        assert "src" not in attributes, tag
        assert tag not in {"link", "iframe", "base", "object", "embed"}
        target = attributes.get("href") or "#"
        assert target.startswith(("#", "data:"))
    assert not re.search(r"url\(|@import", "".join(seen.inside["style"]))


def test_scripts_and_styles_run_by_their_hashes_alone(seen: Seen) -> None:
    (policy,) = [a["content"] or "" for tag, a in seen.tags if tag == "meta" and a.get("http-equiv")]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    kinds = [a.get("type") for tag, a in seen.tags if tag == "script"]
    for kind, content in zip(kinds, seen.inside["script"], strict=True):
        if kind is None:
            assert digest(content) in policy
    assert digest(seen.inside["style"][0]) in policy
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on") or name == "style"]


def digest(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_the_page_holds_what_was_asked_of_it(seen: Seen, comparison: Comparison) -> None:
    words = " ".join(seen.text.split())
    for sentence in comparison.recommendation.sentences:
        assert sentence in words
    asked = [
        comparison.title, comparison.command, comparison.budget, comparison.corpus.sha256, comparison.corpus.split_rule,
        comparison.protocols.fair, comparison.protocols.in_training, "1,003,854", "kneser-ney-5", "2.13.0+cpu",
        "Dropout is on in the dashed lines and off in the solid ones", "rotary", comparison.date,
    ]  # fmt: skip
    for text in asked:
        assert text in words
    places = [words.rindex(text) for text in ("The table", "Settings against results", "The figures", "To repeat it")]
    places = [words.index(comparison.recommendation.sentences[0]), *places]
    assert places == sorted(places)


def test_the_csv_in_the_page_is_the_csv_beside_it(seen: Seen, report: Path) -> None:
    links = {a["download"]: a["href"] or "" for tag, a in seen.tags if tag == "a" and "download" in a}
    files = {"results.csv", "table.tex", "table.md"}
    for name in files:
        assert base64.b64decode(links[name].partition("base64,")[2]) == (report.parent / name).read_bytes()
    assert set(links) - files == {
        f"{name}.csv" for name in ("runs", "sizes", "baselines", "ladder", "time-and-quality")
    }


HOSTILE = st.text(st.sampled_from("<>\"'&/!-{}%script=\\\x00\x1b\n\u2028א") | st.characters(exclude_categories=["Cs"]))


@settings(max_examples=4, deadline=None)
@example(MARKUP)
@example("<!--<script>")
@example("' onmouseover=alert(1) '")
@given(HOSTILE)
def test_any_text_stays_text_wherever_it_stands(text: str) -> None:
    harmless, hostile = Seen(page_as_html(_hostile("harmless"))), Seen(page_as_html(_hostile(text)))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in harmless.tags]
    assert [sorted(a) for _, a in hostile.tags] == [sorted(a) for _, a in harmless.tags]


def _hostile(text: str) -> Comparison:
    bare = made_up(seeds=1, points=6, models=("gru",), diverged=False)
    name = f"x{text}"
    facts = {field.name: getattr(bare.corpus, field.name) for field in dataclasses.fields(CorpusFacts)}
    facts |= {"name": name, "source": name, "tokenizer": name, "split_rule": name, "sha256": name}
    sample = dataclasses.replace(bare.samples[0], id=name, prompt=name, text=name, truth=name)
    changed = dataclasses.replace(bare.rows[0], id=name, setting=name, model=name, optimizer=name, settings={"s": name})
    curve = dataclasses.replace(bare.curves[0], id=name)
    return dataclasses.replace(
        bare, title=name, command=name, budget=name, corpus=CorpusFacts(**facts), rows=(changed,), curves=(curve,),
        samples=(sample,), baselines={name: baseline(2)}, environment={"e": name},
    )  # fmt: skip


def test_prompt_and_sample_stand_together_in_the_direction_of_their_text() -> None:
    text = page_as_html(made_up(seeds=1, text=HEBREW), figures=[])
    assert text.count('<blockquote dir="auto"><span class="prompt">' + HEBREW[0]) == 5
    assert "␛[31m king␀s" in page_as_html(made_up(seeds=1, text=ENGLISH), figures=[])


def test_every_curve_is_drawn_over_epochs_and_over_seconds_with_the_baselines_near_it(comparison: Comparison) -> None:
    figures = {figure.name: figure for figure in figures_of(comparison)}
    assert list(figures) == list(NAMES)
    for figure in (figures["curves-by-epoch"].alone, figures["curves-by-time"]):
        assert figure is not None
        assert "kneser-ney-5 2.408" in json.dumps(figure.spec)
        assert "Outside the frame: uniform 6.022" in figure.caption
        assert len(figure.words) == 8
        assert figure.spec["description"]
    on_page = figures["curves-by-epoch"]
    assert on_page.choices is not None
    assert "kneser-ney-5 2.408" in json.dumps(on_page.choices["axes"]["tokens"])
    assert "Outside the frame" not in on_page.caption, "another axis has another frame"
    assert "where that lies in the frame" in on_page.caption
    assert len(on_page.words) == 16, "of every run, over epochs and over seconds"
    assert not figures["curves-by-time"].on_page


def cut_off(svg: str) -> list[tuple[str | None, tuple[str | None, ...]]]:
    """Each line's path with the frame that cuts it off: its own, or that of what it stands in."""
    root = ElementTree.fromstring(svg)
    frames = {f"url(#{one.get('id')})": tuple(sorted(one[0].items())) for one in root.iter() if "clipPath" in one.tag}
    lines = []

    def walk(element: ElementTree.Element, clip: str | None) -> None:
        clip = element.get("clip-path", clip)
        if element.get("class", "").startswith("mark-line"):
            lines.extend((path.get("d"), frames[clip] if clip else ()) for path in element)
        for child in element:
            walk(child, clip)

    walk(root, None)
    return lines


def test_lines_that_are_cut_off_together_are_cut_off_at_the_same_frame(comparison: Comparison) -> None:
    figure = figures_of(comparison)[1]
    apart = str(vl_convert.vegalite_to_svg(spec_of_file(figure)))
    together = drawings_of([figure])[figure.name]
    assert cut_off(together) == cut_off(apart)
    assert len(cut_off(apart)) == 16
    assert all(frame for _, frame in cut_off(apart))
    assert together.count("clip-path=") == apart.count("clip-path=") - 16 + 2


def test_a_figure_of_very_long_curves_stays_below_what_altair_draws() -> None:
    long = made_up(seeds=1, points=10_000)
    for over in ("epoch", "seconds"):
        series = series_of(long, over)
        assert sum(len(one.points) for one in series) <= POINTS_OF_A_FIGURE + 2 * len(series)
    for figure in (one.alone or one for one in figures_of(long)):
        assert max(len(values) for values in figure.spec["datasets"].values()) < 5_000


POINTS = st.lists(st.tuples(st.integers(0, 10**6), st.floats(-1e6, 1e6)), min_size=1, max_size=300)


@given(POINTS, st.integers(4, 60))
def test_thinning_keeps_order_ends_and_extremes(points: list[tuple[float, float]], at_most: int) -> None:
    kept = thin(points, at_most)
    assert len(kept) <= at_most
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    losses = [loss for _, loss in points]
    assert {min(losses), max(losses)} <= {loss for _, loss in kept}
    places = iter(points)
    assert all(point in places for point in kept), "in the order given"


def test_labels_of_baselines_never_stand_on_each_other() -> None:
    bits = {"a": 2.400, "b": 2.401, "c": 2.402}
    comparison = dataclasses.replace(made_up(), baselines={name: baseline(value) for name, value in bits.items()})
    series = series_of(comparison, "seconds")
    frame = frame_of(series, bits, "bits_per_character")
    labels = labels_of(frame, series)
    assert len({(label.right, label.above) for label in labels}) == len(bits)


def test_words_are_drawn_in_perplexity_on_a_logarithmic_scale() -> None:
    figures = {figure.name: figure for figure in figures_of(made_up(tokenizer="word", text=HEBREW))}
    spec = figures["curves-by-time"].spec
    scales = [layer["encoding"]["y"]["scale"] for layer in spec["layer"] if "scale" in layer["encoding"].get("y", {})]
    assert scales
    for scale in scales:
        assert scale["type"] == "log"
        assert scale["domain"][0] > 0
    assert "The scale is logarithmic." in figures["curves-by-time"].caption
    assert figures["curves-by-epoch"].choices is not None
    assert figures["curves-by-epoch"].choices["log"] is True


def test_colours_are_the_same_for_an_architecture_in_any_comparison() -> None:
    both, one = (colours_of(settings_of(made_up(models=names).rows)) for names in [("gru", "lstm"), ("lstm",)])
    assert both["lstm"] == one["lstm"] == OF_MODEL["lstm"]
    many = colours_of(settings_of([row(f"gru-{place}", 1, 2) for place in range(5)]))
    assert len(set(many.values())) == 5


def test_a_run_of_its_own_has_a_page_without_a_comparison(tmp_path: Path) -> None:
    one = made_up(seeds=1, models=("gru",), diverged=False, title="gru-1")
    written = write_run_report(one, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = Seen(written.read_text(encoding="utf-8")).text
    assert "What it reached" in text
    assert "Time against quality" not in text
    assert "Figure 2. Learning" in text


def test_a_comparison_in_which_nothing_finished_still_has_a_page() -> None:
    lost = row("a", None, None, status="diverged", reason="the loss was infinite at step 3")
    empty = dataclasses.replace(made_up(), rows=(lost,), curves=(), samples=(), baselines={})
    assert "a diverged (the loss was infinite at step 3)" in page_as_html(empty)
    assert "<table" in page_as_html(dataclasses.replace(empty, rows=(), recommendation=no_recommendation()))


def test_curves_of_one_point_and_of_one_value_are_drawn() -> None:
    point = Point(step=1, epoch=0.0, tokens=1, seconds=0.0, train_nats=1.0, valid_nats=1.0)
    flat = dataclasses.replace(made_up(), curves=(Curve(id="gru-1", points=(point,)),))
    assert "curves-by-time" in {figure.name for figure in figures_of(flat)}


def test_a_report_is_rewritten_whole_and_its_old_figures_go(tmp_path: Path) -> None:
    write_report(made_up(seeds=1, points=6, models=("gru", "rnn"), diverged=False), tmp_path)
    assert (tmp_path / "figures" / "time-and-quality.svg").exists()
    write_report(made_up(seeds=1, points=6, models=("gru",), diverged=False), tmp_path)
    assert not (tmp_path / "figures" / "time-and-quality.svg").exists()
    assert not list(tmp_path.rglob(".tmp-*"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(StorageError, match="file"):
        write_run_report(made_up(seeds=1, points=6, models=("gru",), diverged=False), tmp_path / "file" / "report.html")
