"""Passes compiled by torch: the same training, said beforehand; refused in one sentence where it cannot be done."""

import os
from pathlib import Path
from typing import Any

import pytest
from torch._dynamo.utils import counters

from glassloom.training import Began, Event, train
from trainings import command, small


def trained(text: Path, folder: Path, **given: Any) -> tuple[list[float], bool]:
    """The losses of a short training, and whether it said that its passes are compiled."""
    said: list[bool] = []

    def note(event: Event) -> None:
        if isinstance(event, Began):
            said.append(event.facts["compiled"])

    name = f"run-{len(list(folder.iterdir()))}"
    run = train(text, given, root=folder, name=name, with_baselines=False, on_event=note).run
    return [line["batch_nats"] for line in run.metrics() if line["event"] == "train"], said[0]


@pytest.mark.usefixtures("for_the_compiler")
def test_a_compiled_transformer_takes_the_same_steps(tiny_text: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    settings = small("transformer", steps=3, layers=1, lr=1e-2, optimizer="adam")
    plain, compiled_plain = trained(tmp_path / "text.txt", tmp_path, **settings)
    before = counters["frames"]["ok"]
    compiled, said = trained(tmp_path / "text.txt", tmp_path, **settings, compile="on")
    assert (compiled_plain, said) == (False, True)
    assert counters["frames"]["ok"] > before
    assert len(plain) == 3
    assert compiled == pytest.approx(plain, rel=1e-5)
    assert plain[0] - plain[2] > 0.05, "three steps that change nothing would agree anyhow"


def test_where_torch_cannot_compile_one_sentence_says_so(tiny_text: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    sizes = ["--layers", "1", "--width", "24", "--heads", "2", "--batch-size", "2", "--threads", "1", "--steps", "1"]
    process = command(
        "train", "text.txt", "--model", "transformer", "--compile", "on", *sizes, folder=tmp_path,
        env={**os.environ, "CXX": "/nowhere/c++", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"},
    )  # fmt: skip
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert "torch cannot compile the model here: " in err
    assert "train with --compile off" in err
    assert "Traceback" not in err
