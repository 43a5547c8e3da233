"""Every command and every Python block of the documentation, in the order of its page, on small models.

All pages share one folder of prepared runs; `documented.py` declares what is made smaller, and what cannot be run here.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import documented
from documented import BUDGETS, LONG, NOT_RUN, NOT_RUN_IN_PYTHON, PAGES, ROOT, SMALL, TINY_RECIPE, Line, shorter
from glassloom.cli.app import COMMANDS, build
from glassloom.cli.app import run as command
from glassloom.extending import CATALOGUES, catalogue
from glassloom.runs import load_run

LINES = documented.every_line()
DOCTOR = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """A folder with what the pages speak of: a text, runs of three architectures under their names, a model's file."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "novel.txt").write_text(tiny_text, encoding="utf-8")
    (folder / "my.grammar").write_text("# any number of a\nS -> a S [0.4] | a\n", encoding="utf-8")
    (folder / "tiny.toml").write_text(TINY_RECIPE, encoding="utf-8")
    model = next(block for block in documented.blocks(ROOT / "docs" / "doctor.md", "python") if "nn.Module" in block)
    smaller = model.replace("64", "width").replace("__init__(self, vocab)", "__init__(self, vocab, width)")
    built = "def build_small(vocab_size, width=64):\n    return Model(vocab_size, width)\n"
    smaller = smaller.replace("def build_model(vocab_size):\n    return Model(vocab_size)", built)
    (folder / "my_model.py").write_text(f"{smaller}\nbuild_model = build_small\n", encoding="utf-8")
    shutil.copy(ROOT / "docs" / "questions" / "broken.py", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        layers = ["--layers", "2", "--steps", "4", "--save-every", "4"]
        for name in ("gru", "lstm", "transformer"):
            own = [
                "--model",
                name,
                "--name",
                name,
                "--runs",
                "runs/demo",
                *documented.without(SMALL, ("--layers",)),
                *layers,
            ]
            assert command(["train", "novel.txt", *own]) == 0
        for name, of in {"my-run": "gru", "other-run": "lstm", "my-transformer": "transformer", "novel": "gru"}.items():
            shutil.copytree(f"runs/demo/{of}", f"runs/{name}")
        assert command(["export", "my-transformer", "--to", "huggingface", "--out", "some-model"]) == 0
    return folder


@pytest.fixture
def place(prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, as the current one; a page may use what a page before it left there."""
    monkeypatch.chdir(prepared)
    monkeypatch.setenv("GLASSLOOM_CACHE", str(prepared / "cache"))
    return prepared


def run_page(page: str, capsys: pytest.CaptureFixture[str], is_long: bool = False) -> str:
    """Run a page's commands; what they printed."""
    printed = ""
    for line in LINES:
        if line.page != page or line.reason(NOT_RUN) or bool(line.reason(LONG)) != is_long:
            continue
        assert line.ours is not None, f"{page}: say in NOT_RUN why this is not run: {line.text}"
        code = command(shorter(line.ours))
        out, err = capsys.readouterr()
        printed += out
        assert code in ((0, 1) if line.ours[0] == "doctor" else (0,)), (line.text, shorter(line.ours), err)
    return printed


@pytest.mark.parametrize("page", sorted({line.page for line in LINES} - {"README.md"}))
def test_every_command_of_a_page_works(page: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_page(page, capsys)


def test_every_command_of_the_readme_works(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run_page("README.md", capsys)
    run = load_run("novel-lstm")
    assert run.newest().step == 10, "resumed and extended"
    assert len(list(Path("novel").glob("*-seed*"))) == 8, "two models, two rates, two seeds"
    assert Path("novel/report.html").is_file()
    assert {path.parent.name for path in Path("runs").glob("*/report.html")} >= {"novel-rnn", "ptb-architectures"}
    assert "kneser-ney-5" in printed
    assert "def " in printed


@pytest.mark.long
@pytest.mark.parametrize("page", sorted({line.page for line in LINES if line.reason(LONG)}))
def test_every_long_command_of_a_page_works(page: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained = {line.ours[line.ours.index("--name") + 1] for line in LINES if line.ours and "--name" in line.ours}
    stand_ins = [path for name in sorted(trained) if not (path := place / "runs" / name).exists()]
    for path in stand_ins:  # what the page's short lines train, where they did not run in this process
        shutil.copytree(place / "runs" / "novel", path)
    printed = run_page(page, capsys, is_long=True)
    for path in stand_ins:
        shutil.rmtree(path)
    assert "healthy" in printed or page != "doctor.md"


def test_the_pages_name_every_command_and_the_tables_name_nothing_else() -> None:
    named = {line.ours[0] for line in LINES if line.ours and line.page == "README.md"}
    assert named >= {"generate", "evaluate", "train", "compare", "corpora", "run", "gradcheck", "view", "export"}
    assert {line.ours[0] for line in LINES if line.ours} - set(COMMANDS) == set()
    assert {"serve", "studio", "doctor", "import", "report"} <= {line.ours[0] for line in LINES if line.ours}
    told = "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for why in (*NOT_RUN.values(), *NOT_RUN_IN_PYTHON.values()):
        for test in re.findall(r"test_\w+\.py", why):
            assert (ROOT / "tests" / test).is_file(), why
    assert all(stretch in told for stretch in (*documented.IN_PYTHON, *NOT_RUN_IN_PYTHON))


@pytest.mark.parametrize(
    "line", [line for line in LINES if line.reason({**NOT_RUN, **LONG})], ids=lambda one: one.text[:60]
)
def test_what_is_not_run_here_has_the_command_lines_own_flags(line: Line) -> None:
    words, ours = line.words, line.ours
    if ours is not None and "mingru" not in words:
        build(ours[0]).parse_args(ours, exit_on_error=False, print_error=False)
    if words[0].startswith(("benchmarks/", "docs/")) or words[0] == "python":
        path = ROOT / words[words[0] == "python"]
        assert path.is_file(), line.text
        said = path.read_text(encoding="utf-8")
        assert all(re.search(rf"\b{re.escape(word.lstrip('-'))}\b", said) for word in words[1:] if word.isalpha())
    if words[0] == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), line.text


def test_a_flag_that_does_not_exist_would_be_found() -> None:
    from cyclopts import CycloptsError

    with pytest.raises(CycloptsError):
        build("serve").parse_args(["serve", "my-run", "--potr", "1"], exit_on_error=False, print_error=False)


def test_commands_are_made_shorter_as_declared() -> None:
    words = ["train", "shakespeare", "--minutes", "5", "--name", "a"]
    assert shorter(words) == ["train", "novel.txt", "--name", "a", "--steps", "5", *SMALL]
    assert shorter(["view", "a", "units"]) == ["view", "a", "units"]
    assert documented.without(["--steps", "5", "x"], BUDGETS) == ["x"]


# -- Python

PYTHON = [path for path in PAGES if documented.blocks(path, "python")]


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What a page adds by `glassloom.add` is there until the test ends."""
    yield
    for kind in CATALOGUES:
        catalogue(kind).look_again()


@pytest.mark.parametrize("path", PYTHON, ids=documented.page_name)
def test_the_python_of_a_page_works(
    path: Path, place: Path, forgotten: None, capsys: pytest.CaptureFixture[str]
) -> None:
    import glassloom

    gru, lstm, transformer = (load_run(f"runs/demo/{name}") for name in ("gru", "lstm", "transformer"))
    shutil.rmtree("my-model", ignore_errors=True)
    shutil.rmtree("runs/theirs", ignore_errors=True)
    model = gru.model()
    tokens = model.initial_state(1)[0].new_zeros((1, 5)).long()
    known = {"glassloom": glassloom, "run": gru, "other": "runs/other-run", "lstm": lstm, "transformer": transformer}
    space: dict[str, object] = {"__name__": "page", **known, "model": model, "tokens": tokens}
    for block in documented.blocks(path, "python"):
        for stretch, instead in documented.IN_PYTHON.items():
            block = block.replace(stretch, instead)
        code = compile(block, documented.page_name(path), "exec")
        if not any(stretch in block for stretch in NOT_RUN_IN_PYTHON):
            exec(code, space)  # the page's own lines


# -- doors


def test_the_makefile_has_the_doors_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for door in ("demo", "test", "lint", "bench", "docs"):
        assert re.search(rf"^{door}:", makefile, re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("make lint") < script.index("make test")
