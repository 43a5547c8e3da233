"""The machine: what a run asks of it, and what it has."""

import os
import platform
import subprocess
import sys
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


FAULTS = """
import resource
import torch
from glassloom.training.machine import keep_freed_memory

def faults() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.full((12_000_000,), 1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults()
before = faults()
print(keep_freed_memory(), before, (faults(), faults())[1])
"""


def faults_before_and_after(**environment: str) -> tuple[str, int, int]:
    """Whether memory is kept, and the page faults of five fillings of 48 MB before and since."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", FAULTS], env={**clean, **environment}, capture_output=True, text=True, check=True
    )
    kept, before, after = ran.stdout.split()
    return kept, int(before), int(after)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_kept_for_the_next_step_unless_the_environment_says_otherwise() -> None:
    kept, before, after = faults_before_and_after()
    assert kept == "True"
    assert after * 20 < before
    kept, _, after = faults_before_and_after(MALLOC_ARENA_MAX="2")
    assert kept == "False"
    assert after * 2 > before
