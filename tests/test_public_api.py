"""Glassloom from Python: what `import glassloom` gives, the examples in the docstrings, results in a notebook."""

import doctest
import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import glassloom
from commands import TINY
from glassloom import notebook
from glassloom.errors import CorpusError, Notice, SettingError
from glassloom.runs import Run
from glassloom.training import Began, Evaluated, Finished, Stepped

LINES = ["Flat is better than nested.", "Sparse is better than dense.", "Readability counts."] * 60
SMALL: dict[str, Any] = {
    flag[2:].replace("-", "_"): int(value) for flag, value in zip(TINY[::2], TINY[1::2], strict=True)
}
MODULES = [found.name for found in pkgutil.walk_packages(glassloom.__path__, "glassloom.")]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


# -- names and examples


@pytest.mark.parametrize("name", glassloom.__all__)
def test_every_public_name_is_there_and_says_what_it_is_for(name: str) -> None:
    found = getattr(glassloom, name)
    assert callable(found)
    assert found.__doc__.splitlines()[0].strip()
    assert ">>>" in found.__doc__, f"{name} has no example"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = glassloom.trian


def test_importing_glassloom_loads_no_torch_prints_nothing_and_leaves_the_process_alone() -> None:
    code = (
        "import logging, random, sys, warnings\n"
        "before = random.getstate(), logging.root.level, list(warnings.filters)\n"
        "import glassloom\n"
        "assert (random.getstate(), logging.root.level, list(warnings.filters)) == before\n"
        "assert not {'torch', 'IPython', 'numpy'} & set(sys.modules)"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (outcome.returncode, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    if name.endswith("__main__"):
        return
    if sys.platform != "linux" and re.search(r"kernels\.cuda\.(parts|rnn|gru|lstm|sweeps)$", name):
        pytest.skip("there is no Triton but on Linux")
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


# -- the same from Python


def test_a_list_of_strings_is_trained_on_scored_and_continued() -> None:
    result = glassloom.train(LINES, model="gru", name="lines", **SMALL)
    score = glassloom.evaluate(result)
    samples = glassloom.generate(result.run, "Flat", length=12, count=2, temperature=0.7)
    assert result.status == "finished"
    assert result.best["nats_per_token"] == pytest.approx(score.figures.nats_per_token, rel=1e-5)
    assert set(score.baselines) == {"uniform", "unigram", "bigram", "kneser-ney-5", "xz"}
    assert [(sample.prompt, len(sample.ids)) for sample in samples] == [("Flat", 12)] * 2
    again = glassloom.load_run("lines")
    assert again.path == result.run.path
    assert glassloom.generate(again, "Flat", length=12, temperature=0.7)[0].text == samples[0].text


def test_a_string_a_list_and_an_iterator_are_the_same_text() -> None:
    whole = "".join(f"{line}\n" for line in LINES)
    pieces = [f"{line}\n" for line in LINES]
    shas = {glassloom.load_text(text).sha256 for text in (whole, pieces, iter(pieces))}
    assert len(shas) == 1
    of_iterator = glassloom.train(iter(pieces), model="rnn", name="iterator", **SMALL)
    of_string = glassloom.train(whole, model="rnn", name="string", **SMALL)
    assert of_iterator.best == of_string.best


def test_a_prepared_corpus_can_be_trained_on_and_scored_on() -> None:
    corpus = glassloom.load_text(LINES)
    result = glassloom.train(corpus, name="prepared", **SMALL)
    assert result.run.corpus["sha256"] == corpus.sha256
    assert glassloom.evaluate(result, corpus=corpus).tokens == glassloom.evaluate(result).tokens


def test_a_comparison_from_python_is_data_and_a_page() -> None:
    found = glassloom.compare(LINES, ["rnn", "gru"], out="both", vary={"lr": [1e-3, 1e-2]}, **SMALL)
    assert len(found.rows) == 4
    assert json.loads(Path("both/results.json").read_text(encoding="utf-8"))["title"] == found.title
    assert Path("both/report.html").is_file()


@pytest.mark.parametrize(
    ("corpus", "settings", "error", "said"),
    [
        (3, {}, SettingError, "A corpus cannot be of type int"),
        (["a", 3], {}, CorpusError, "holds 3, which is of type int"),
        ([], {}, CorpusError, "empty"),
        ("no-such-file.txt", {}, CorpusError, "There is no file"),
        (LINES, {"widht": 3}, SettingError, "did you mean width"),
        (LINES, {"model": "gruu"}, SettingError, "did you mean gru"),
    ],
    ids=["a number", "a list with a number", "an empty list", "a missing file", "unknown setting", "unknown model"],
)
def test_what_cannot_be_used_is_an_error_with_its_three_parts(
    corpus: Any, settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as refused:
        glassloom.train(corpus, **settings)
    assert said in str(refused.value)
    assert set(refused.value.as_dict()) == {"what", "expected", "fix"}
    assert not Path("runs").exists()


# -- in a notebook


class Page:
    """What a notebook shows: every state of the one place that a live curve draws in."""

    def __init__(self) -> None:
        self.states: list[str] = []

    def __call__(self, html: str) -> None:
        self.states.append(html)


def well_formed(html: str) -> ElementTree.Element:
    """HTML of ours is XML too, but for its rules between samples."""
    return ElementTree.fromstring(f"<div>{html.replace('<hr>', '')}</div>")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A running IPython that says it is a notebook's kernel."""
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.kernel = object()  # type: ignore[attr-defined]
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A training on a text with markup in it."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        lines = ["<script>alert(1)</script> & \x07 so on\n"] * 60
        with pytest.warns(Notice, match="control characters"):
            return glassloom.train(lines, runs=folder, name="shown", **SMALL, sample_prompt="<script>")


def test_every_kind_of_result_displays_itself_in_ipython(kernel: Any, result: Any, tmp_path: Path) -> None:
    notebook.install()
    results = [
        result,
        result.run,
        glassloom.evaluate(result),
        glassloom.generate(result, "<script>", length=5, count=2),
        glassloom.generate(result, "<script>", length=5)[0],
        glassloom.compare(LINES, ["rnn"], out=tmp_path / "one", **SMALL),
    ]
    for shown in results:
        html = kernel.display_formatter.format(shown)[0]["text/html"]
        assert "<script" not in html
        assert "\x07" not in html
        assert well_formed(html) is not None
    assert "text/html" not in kernel.display_formatter.format(["a list"])[0]


def test_a_training_is_shown_with_its_curve_its_baselines_and_its_last_sample(result: Any) -> None:
    html = notebook.result_as_html(result)
    shown = well_formed(html)
    curves = [element for element in shown.iter() if element.tag == "polyline"]
    assert [len(curve.attrib["points"].split()) for curve in curves] == [2, 2]
    assert "kneser-ney-5" in html
    assert "<b>this model</b>" in html
    assert "<b>&lt;script&gt;</b>" in html


def test_a_run_without_any_evaluation_is_shown_without_a_curve(result: Any, tmp_path: Path) -> None:
    import shutil

    copy = Run(Path(shutil.copytree(result.run.path, tmp_path / "copy")))
    (copy.path / "metrics.jsonl").unlink()
    (copy.path / "samples.jsonl").unlink()
    html = notebook.run_as_html(copy)
    assert "<svg" not in html
    assert "gru" in html


def test_a_curve_draws_every_point_in_its_place_and_the_baselines_among_them() -> None:
    picture = ElementTree.fromstring(
        notebook.curves_as_svg({"valid": [(0, 3.0), (50, 2.0), (100, 1.0)]}, {"bigram": 2.0, "uniform": 9.0})
    )
    [curve] = picture.iter("polyline")
    (x1, y1), (x2, y2), (x3, y3) = (map(float, point.split(",")) for point in curve.attrib["points"].split())
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.2)
    assert y2 - y1 == pytest.approx(y3 - y2, abs=0.2)
    assert (x1, y1) == (notebook.LEFT, notebook.TOP)
    [dashed] = [path for path in picture.iter("path") if "stroke-dasharray" in path.attrib]
    assert float(re.findall(r"[\d.]+", dashed.attrib["d"])[1]) == pytest.approx(y2)
    words = [element.text for element in picture.iter("text")]
    assert "bigram" in words
    assert "uniform" not in words


def test_a_live_curve_grows_while_a_model_trains() -> None:
    page = Page()
    glassloom.train(LINES, name="watched", on_event=notebook.LiveCurve(page), **{**SMALL, "eval_every": 1})
    sizes = [html.split('points="')[-1].split('"')[0].count(",") for html in page.states if "polyline" in html]
    assert sizes == sorted(sizes)
    assert sizes[-1] == 4
    assert "finished: the budget is used" in page.states[-1]


def test_a_live_curve_says_where_a_training_stands() -> None:
    page = Page()
    curve = notebook.LiveCurve(page)
    curve(Began(0, False, {"vocabulary": 20, "model": "gru", "parameters": 1234}))
    assert "gru: 1,234 parameters" in page.states[-1]
    curve(Stepped(1, 0.1, 100, 0.5, 0.25, 2.9, 1e-3, 1.0, 1.0))
    assert len(page.states) == 1, "no more often than twice a second"
    figures = {"nats_per_token": 2.5}
    curve(Evaluated(1, 0.1, 100, 0.5, 2.9, 2.5, figures, True, "unigram"), run="gru-2")
    assert "gru-2 step 1, valid 2.500 nats per token, below unigram" in page.states[-1]
    curve(Finished("finished", "the budget is used", 1, 0.5, 100))
    assert "finished: the budget is used" in page.states[-1]


def test_train_draws_a_live_curve_in_a_notebook_and_nothing_elsewhere(
    kernel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr(kernel.display_pub, "publish", lambda **shown: published.append(shown))
    assert notebook.in_notebook()
    glassloom.train(LINES, name="live", **SMALL)
    assert [bool(shown.get("update")) for shown in published] == [False] + [True] * (len(published) - 1)
    assert len({shown["transient"]["display_id"] for shown in published}) == 1
    assert "<svg" in published[-1]["data"]["text/html"]
    del kernel.kernel
    assert not notebook.in_notebook()
    published.clear()
    glassloom.train(LINES, name="terminal", **SMALL)
    assert published == []
