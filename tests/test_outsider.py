"""An outsider's path: the example package is installed, and what it adds is used like Glassloom's own.

The first two steps are processes of their own, as are loading at the end and the package's own tests; between them the
commands run in this process, from which everything that was added is taken away again.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import Commands
from glassloom.extending import CATALOGUES, __all__, catalogue
from outsiders import OUTSIDER, install, surroundings

FILES = {"architecture", "tokenizer", "language", "view", "check"}
SMALL = ["--width", "40", "--layers", "1", "--samples", "60", "--eval-tokens", "100", "--sample-length", "10"]


@pytest.fixture(scope="module")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(OUTSIDER, tmp_path_factory.mktemp("outsider"))


@pytest.fixture(scope="module")
def runs(lib: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The new architecture, trained on the new language by the new tokenizer, interrupted by its budget and resumed."""
    folder = tmp_path_factory.mktemp("outsiders-runs")
    asked = ["train", "threes", "--model", "mingru", "--tokenizer", "shift", "--gate-bias", "-0.5", *SMALL]
    for more in (["--steps", "3"], ["--steps", "6", "--resume"]):
        words = [sys.executable, "-m", "glassloom", *asked, "--name", "own", "--runs", str(folder), *more]
        outcome = subprocess.run(words, capture_output=True, text=True, env=surroundings(lib))
        assert outcome.returncode == 0, outcome.stderr
    return folder


@pytest.fixture
def installed(lib: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process finds the package, until the test ends."""
    monkeypatch.syspath_prepend(str(lib))
    for kind in CATALOGUES:
        catalogue(kind).look_again()
    yield
    monkeypatch.undo()
    for name in [name for name in sys.modules if name.partition(".")[0] == "outsider"]:
        del sys.modules[name]
    for kind in CATALOGUES:
        catalogue(kind).look_again()


def test_each_addition_is_one_file_and_imports_only_public_names() -> None:
    files = {path.stem: path for path in (OUTSIDER / "src" / "outsider").glob("*.py")}
    assert set(files) == FILES | {"__init__"}
    for name, path in files.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in ("glassloom", "outsider"):
                assert node.module == "glassloom.extending", f"{name} reaches into {node.module}"
                assert {alias.name for alias in node.names} <= set(__all__)
            assert not isinstance(node, ast.Import) or "glassloom" not in ast.unparse(node)


def test_the_run_of_an_outsider_went_on_and_remembers_whose_it_is(runs: Path) -> None:
    environment = json.loads((runs / "own" / "environment.json").read_text(encoding="utf-8"))
    owner = "glassloom-outsider 0.1.0"
    expected = {"architecture mingru": owner, "tokenizer shift": owner, "language threes": owner}
    assert environment["added_by"] == expected
    config = json.loads((runs / "own" / "config.json").read_text(encoding="utf-8"))
    assert (config["model"]["name"], config["model"]["gate_bias"], config["data"]["tokenizer"]) == (
        "mingru",
        -0.5,
        "shift",
    )
    lines = (runs / "own" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [one["step"] for one in map(json.loads, lines) if one["event"] == "train"]
    assert steps == [1, 2, 3, 4, 5, 6], "three steps, and three more after --resume"


def test_what_was_added_is_used_like_glassloms_own(
    installed: None, runs: Path, commands: Commands, tmp_path: Path
) -> None:
    written = commands.done("generate", "own", "--runs", runs, "--length", 8, "--seed", 1, "--json").json
    assert set(written["samples"][0]["text"]) <= set("01\n")
    rows = commands.done("corpora", "--json").json["corpora"]
    [threes] = [one for one in rows if one["name"] == "threes"]
    assert threes["entropy_nats_per_sequence"] == pytest.approx(11.2602, abs=1e-4)
    assert "mingru" not in commands.done("compare", "--help").out.split("NAMES")[1][:60], "compare's default is its own"
    asked = ["view", "own", "calibration", "--runs", runs, "--text", "1001", "--option", "bins=4"]
    found = commands.done(*asked, "--json").json
    assert len(found["arrays"]["true"]["values"]) == 4
    assert found["facts"]["predictions"] == 4
    commands.done(*asked, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Whether the model is as often right as it says." in page
    assert "calibration" in commands.done("view", "--list-views", "--json").json["views"]
    assert "at least 2" in commands.refused(*asked[:-1], "bins=1")


def test_the_doctor_makes_the_check_that_was_added(installed: None, runs: Path, commands: Commands) -> None:
    outcome = commands("doctor", "own", "--runs", runs, "--json")
    [finding] = [one for one in outcome.json["findings"] if one["name"] == "more-parameters-than-text"]
    assert finding["severity"] == "note"
    parameters = 40 * 6 * 2 + 6 + 2 * 40 * 40 + 80  # embedding and output of 6 ids; one layer of two gates
    assert finding["evidence"]["parameters"] == parameters
    assert finding["evidence"]["tokens"] < parameters
    shown = commands("doctor", "own", "--runs", runs).out
    assert "The model has more parameters than its text has tokens" in shown
    explained = commands.done("doctor", "--explain", "more-parameters-than-text").out
    assert "--dropout 0.2" in explained


def test_a_process_of_its_own_loads_the_run(runs: Path, lib: Path) -> None:
    code = (
        "import glassloom, sys\n"
        "run = glassloom.load_run(sys.argv[1])\n"
        "inside = run.inside('1001')\n"
        "print(type(run.model()).__name__, inside['layers.0.gate.update'].shape, run.tokenizer.name)"
    )
    words = [sys.executable, "-c", code, str(runs / "own")]
    outcome = subprocess.run(words, capture_output=True, text=True, env=surroundings(lib))
    assert outcome.stdout.split(maxsplit=1)[0] == "MinGRU", outcome.stderr
    assert "(5, 40) shift" in outcome.stdout, "four digits after .start"


def test_without_the_package_the_sentence_says_what_is_missing(runs: Path, commands: Commands) -> None:
    said = commands.refused("generate", "own", "--runs", runs)
    assert "no architecture called 'mingru'" in said
    assert "where a package adds it, that package installed" in said


def test_the_packages_own_tests_pass(lib: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(lib.parent / "outsider" / "tests")]
    outcome = subprocess.run(words, capture_output=True, text=True, env=surroundings(lib), cwd=lib.parent)
    assert outcome.returncode == 0, outcome.stdout
    assert "6 passed" in outcome.stdout
