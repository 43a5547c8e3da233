"""Views from the command line: every form of every view, and what is refused."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from commands import TINY, Commands
from glassloom.cli.exhibits import as_lines
from glassloom.cli.output import Paint, paint
from glassloom.exhibits import Coloured, Piece
from glassloom.report.coloured import STEPS, letters_on, shade_of, step_of
from glassloom.runs import load_run
from glassloom.views.catalogue import VIEWS
from glassloom.views.flows import flows
from models_by_hand import LETTERS, identity, looking_back
from test_report import Seen

OWN = {"attention": "transformer"}
"""Views that not every architecture has."""
TEXT = {"units": "import re\n\nclass TextWrapper:\n    def wrap(self, text):\n        return [text]\n"}
MORE = {
    "patch": ["--other", "The next is "],
    "steer": ["--change", "layers.0.hidden:0=off", "--length", "20"],
    "timelapse": ["--length", "20"],
    "memory": ["--context", "4"],
}
"""What a view is asked besides."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """A tiny LSTM and a tiny transformer."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("runs")
    (folder / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        for name, more in (("lstm", ()), ("transformer", ("--heads", "2", "--context", "16"))):
            asked = ["train", str(folder / "text.txt"), "--runs", str(folder), "--name", name, "--model", name]
            assert run([*asked, *TINY, *more]) == 0
    return folder


@pytest.mark.parametrize("name", VIEWS)
def test_every_view_is_shown_and_written_in_every_form(
    commands: Commands, runs: Path, name: str, tmp_path: Path
) -> None:
    asked = ["view", OWN.get(name, "lstm"), name, "--runs", runs]
    if VIEWS[name].text != "none":
        asked += ["--text", TEXT.get(name, "The text of ")]
    asked += MORE.get(name, ())
    shown = commands.done(*asked).out
    assert shown.strip()
    assert "\x1b" not in shown, "no colours where there is no terminal"
    data = commands.done(*asked, "--json").json
    assert data["view"] == name
    assert data["arrays"]
    for ending in ("html", "json", "csv", "svg", "png"):
        path = tmp_path / f"a.{ending}"
        assert commands.done(*asked, "--out", path).out.strip() == str(path)
    written = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert written["arrays"] == data["arrays"]
    assert (tmp_path / "a.csv").read_text(encoding="utf-8").startswith("array,")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    names = [one.get("id") for one in root.iter() if one.get("id")]
    assert len(names) == len(set(names)), "a name on the sheet is one thing's"
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    page = Seen((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert not [tag for tag, a in page.tags if "style" in a or "src" in a]
    assert f"{name}" in page.text


def test_without_a_text_the_held_out_text_is_looked_at(commands: Commands, runs: Path) -> None:
    found = commands.done("view", "lstm", "surprise", "--runs", runs, "--json").json
    valid = load_run("lstm", runs)
    text = (runs / "text.txt").read_text(encoding="utf-8")
    labels = valid.tokenizer.labels()
    first = "".join(found["arrays"]["bits"]["labels"]["token"][:40])
    assert first in "".join(labels[index] for index in valid.tokenizer.encode(text))
    assert set(found["facts"]["baseline_bits"]) == {"uniform", "unigram", "bigram", "kneser-ney-5"}


def test_what_cannot_be_looked_at_is_refused_in_a_sentence(commands: Commands, runs: Path, tmp_path: Path) -> None:
    asked = ["view", "lstm", "surprise", "--runs", runs, "--text", "The"]
    assert "did you mean surprise" in commands.refused("view", "lstm", "surprice", "--runs", runs)
    assert "lstm has no attention" in commands.refused("view", "lstm", "attention", "--runs", runs, "--text", "The")
    assert ".pdf" in commands.refused(*asked, "--out", tmp_path / "a.pdf")
    assert "no option at" in commands.refused(*asked, "--at", "3")
    assert "needs changes" in commands.refused("view", "lstm", "steer", "--runs", runs)
    assert "length" in commands.refused("view", "lstm", "timelapse", "--runs", runs, "--length", "-1")
    assert "takes no text" in commands.refused("view", "lstm", "training", "--runs", runs, "--text", "The")
    assert "No view was named" in commands.refused("view", "lstm", "--runs", runs)
    assert "no run" in commands.refused("view", "nothing", "surprise", "--runs", runs, "--text", "The")
    assert "no step 9" in commands.refused("view", "lstm", "gradient-flow", "--runs", runs, "--text", "The", "--at", 9)
    assert not list(tmp_path.iterdir())


def test_every_view_is_listed_with_its_options(commands: Commands) -> None:
    shown = commands.done("view", "--list-views").out
    for name, entry in VIEWS.items():
        assert f"\n{name} " in shown
        assert entry.about in shown
    flags = set(re.findall(r"--[a-z-]+", shown))
    assert {"--property", "--property-file", "--kind", "--change", "--at-least"} <= flags
    told = commands.done("view", "--help").out
    assert [flag for flag in flags if not re.search(rf"{flag}\b(?!-)", told)] == [], "what is listed can be typed"
    assert set(commands.done("view", "--list-views", "--json").json["views"]) == set(VIEWS)


def test_several_runs_stand_on_the_same_axes(commands: Commands, runs: Path) -> None:
    asked = ["view", "lstm", "gradient-flow", "--runs", runs, "--text", "The text of "]
    found = commands.done(*asked, "--beside", "transformer", "--beside", "lstm", "--json").json
    assert set(found["facts"]) == {"lstm", "transformer", "lstm (2)"}
    arrays = found["arrays"]
    assert arrays["lstm norm"]["values"] == arrays["lstm (2) norm"]["values"]
    assert len(arrays["transformer norm"]["values"]) == 1


def test_through_an_identity_recurrence_the_gradient_of_a_text_does_not_vanish() -> None:
    found = flows((identity(), LETTERS), "ab !abcab")
    [state] = found.flows["rnn"].layers
    assert len(state.norms) == 8
    assert state.norms[0] > 0
    assert state.norms == pytest.approx([state.norms[0]] * 8, rel=1e-12)
    assert found.targets == {"rnn": "b"}
    short = flows((identity(), LETTERS), "ab !abcab", at=3)
    assert len(short.flows["rnn"].layers[0].norms) == 3
    assert short.targets == {"rnn": "!"}
    assert short.labels["rnn"] == ("a", "b", "␣")


def test_a_head_that_looks_one_back_has_the_score_one() -> None:
    from glassloom.views.attended import attended

    found = attended((looking_back(8), LETTERS), "ab !abca")
    [head] = found.heads
    assert head.kind == "previous token"
    assert head.scores["everywhere"]["previous token"].score == pytest.approx(1.0, abs=1e-6)
    arrays = {array.name: array for array in found.arrays()}
    assert arrays["weights"].axes == ("head", "query", "key")
    assert arrays["weights"].labels["query"] == ("a", "b", "␣", "!", "a", "b", "c", "a")
    assert arrays["weights"].values[0, 4, 3] == pytest.approx(1.0, abs=1e-6)
    assert arrays["entropy"].values[0] == pytest.approx(0.0, abs=1e-3)
    assert arrays["score"].values[0, 0, 0] == head.scores["everywhere"]["previous token"].score


def test_shades_are_steps_of_the_scale_and_letters_stand_out() -> None:
    one = Coloured(name="a", title="", texts={}, unit="bits", low=0.0, high=4.0)
    both = Coloured(name="a", title="", texts={}, unit="", low=-1.0, high=1.0)
    assert [step_of(value, one) for value in (0.0, 2.0, 4.0, 9.0)] == [0, STEPS // 2, STEPS, STEPS]
    assert [step_of(value, both) for value in (-2.0, -0.5, 0.0, 1.0)] == [-STEPS, -STEPS // 2, 0, STEPS]
    assert step_of(None, one) is None
    assert step_of(float("nan"), one) is None
    assert shade_of(-0.5, both) == f"shade shade-b{STEPS // 2}"
    assert (letters_on("#ffffff"), letters_on("#000000")) == ("#000000", "#ffffff")


def test_a_terminal_is_painted_and_text_of_a_corpus_never_paints(capsys: pytest.CaptureFixture[str]) -> None:
    paint([Paint("a\x1b[31m", shade=1.0), Paint("b")], plain=False)
    assert capsys.readouterr().out == "\x1b[48;5;88;38;5;231ma␛[31m\x1b[0mb\n"
    paint([Paint("a\x1b[31m", bold=True)], plain=True)
    assert capsys.readouterr().out == "a␛[31m\n"
    text = Coloured(
        name="a", title="T", caption="C", unit="bits", texts={"x": (Piece(text="a\n", value=0.5, note="n"),)}
    )
    lines = ["".join(part.text for part in line) for line in as_lines(text)]
    assert lines[0] == "T"
    assert any("0.5" in line for line in lines)
    assert lines[-2] == "C"
