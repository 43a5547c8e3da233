"""The machine: what a run asks of it, and what it has."""

import os
from pathlib import Path

import pytest
import torch

from commands import TINY, Commands

ZEN = "Beautiful is better than ugly.\nExplicit is better than implicit.\nSimple is better than complex.\n"
TEXT = ZEN * 30


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of one's own, with a text in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")


def test_more_threads_than_cores_are_refused(commands: Commands) -> None:
    said = commands.refused("train", "text.txt", "--threads", "500000")
    assert said.startswith("threads is 500,000, more than this machine has cores to run them on.")
    assert f"at most {os.cpu_count()}." in said


def test_a_run_of_a_larger_machine_is_used_with_the_cores_that_there_are(commands: Commands) -> None:
    commands.done("train", "text.txt", "--name", "large", *TINY)
    config = Path("runs/large/config.json")
    config.write_text(config.read_text().replace('"threads": 1', '"threads": 500000'))
    before = torch.get_num_threads()
    outcome = commands.done("evaluate", "large")
    torch.set_num_threads(before)
    assert outcome.notices == [
        f"notice: The run has 500,000 threads, and this machine {os.cpu_count()} cores: {os.cpu_count()} threads are "
        "used."
    ]
