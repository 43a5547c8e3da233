"""The README's own commands, in its order, on a small text and with a small budget."""

import re
import shlex
from pathlib import Path

import pytest

from glassloom.cli.app import run as command
from glassloom.runs import load_run

ROOT = Path(__file__).parent.parent
SMALL = ["--width", "16", "--layers", "1", "--batch-size", "4", "--sequence-length", "16"]
SMALL += ["--eval-tokens", "200", "--sample-length", "10"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def told() -> list[list[str]]:
    """Every `glassloom` line of the README's shell examples, as words."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split(" #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith(".venv/bin/glassloom ")]


TINY = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "The README's recipes, smaller."
settings = { width = 16, layers = 1, batch_size = 4, sequence_length = 16, eval_tokens = 200, sample_length = 10 }
[[part]]
name = "words"
title = "Words"
corpus = "novel.txt"
runs = [{ id = "3.2a", model = "gru", steps = 10, threads = 1 }]
"""
"""Stands for each of the listed recipes, whose own commands take minutes; it has the run that the README names."""


def smaller(words: list[str]) -> list[str]:
    """The same command with so small a model and budget that it takes a moment."""
    if words[0] == "run" and "--list" not in words:
        return ["run", "tiny.toml", *words[2:], "--out", f"runs/{words[1]}"]
    if words[0] == "gradcheck":
        return [*words, "--model", "rnn"]
    if words[0] == "search":
        return [*words[:2], "--model", "gru", "--trials", "2", "--steps", "9", *SMALL]
    if words[0] == "plan":
        return [*words[:2], "--minutes", "0.25", "--models", "rnn", "--threads", "1"]
    if words[0] not in ("train", "compare"):
        return words
    if "--minutes" in words:
        words = [*words[: words.index("--minutes")], *words[words.index("--minutes") + 2 :]]
    steps = "20" if "--resume" in words else "10"
    return [*words, "--steps", steps, *([] if "--resume" in words else SMALL)]


def test_every_command_of_the_readme_works(
    tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("novel.txt").write_text(tiny_text, encoding="utf-8")
    Path("tiny.toml").write_text(TINY, encoding="utf-8")
    for name in ("gru", "lstm", "transformer"):
        own = ["--model", name, "--name", name, "--runs", "runs/demo", "--steps", "10"]
        assert command(["train", "novel.txt", *own, *SMALL]) == 0
    commands = told()
    assert {words[0] for words in commands} == {
        "generate",
        "evaluate",
        "train",
        "compare",
        "corpora",
        "run",
        "gradcheck",
        "view",
        "export",
        "report",
        "serve",
        "search",
        "plan",
    }
    for words in commands:
        if words[0] == "serve":  # it runs until it is told to end: test_serving
            continue
        assert command(smaller(words)) == 0, (words, capsys.readouterr().err)
    run = load_run("novel-lstm")
    assert run.newest().step == 20, "resumed and extended"
    assert len(list(Path("novel").glob("*-seed*"))) == 12, "two models, two rates, three seeds"
    assert Path("novel/report.html").is_file()
    assert {path.parent.name for path in Path("runs").glob("*/report.html")} >= {"novel-rnn", "ptb-architectures"}
    printed = capsys.readouterr().out
    assert "kneser-ney-5" in printed
    assert "def " in printed


def test_the_makefile_has_the_doors_that_the_readme_names() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for door in ("demo", "test", "lint", "bench"):
        assert re.search(rf"^{door}:", makefile, re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert script.index("make lint") < script.index("make test")
