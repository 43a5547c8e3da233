"""What all tests share: shapes checked on every call, the real texts where they are at hand, a small real text."""

import codecs
import contextlib
import io
import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from jaxtyping import config, install_import_hook

from commands import TINY, Commands

if TYPE_CHECKING:  # most tests need no browser
    from playwright.sync_api import Browser

CHECKED = ["glassloom.models", "glassloom.kernels", "glassloom.loss"]
install_import_hook(CHECKED, "beartype.beartype").__enter__()

if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before anything imports Triton, as torch's compiler does

ROOT = Path(__file__).parent.parent


def find_data() -> Path | None:
    """The folder of real texts: GLASSLOOM_DATA, or `shared/data` beside the checkout."""
    for folder in (os.environ.get("GLASSLOOM_DATA"), ROOT.parent / "shared" / "data"):
        if folder and (Path(folder) / "shakespeare.txt").is_file():
            return Path(folder)
    return None


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The real texts; a test that needs them is skipped only where they are absent."""
    folder = find_data()
    if folder is None:
        pytest.skip("the real texts are not on this machine; set GLASSLOOM_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def tiny_text() -> str:
    """Some 30,000 characters of real text that every Python has: the Zen and a module of the standard library."""
    with contextlib.redirect_stdout(io.StringIO()):
        import this
    zen = codecs.decode(this.s, "rot13")
    source = Path(sysconfig.get_paths()["stdlib"], "textwrap.py").read_text(encoding="utf-8")
    return zen + "\n" + source


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test never reads or fills the user's cache."""
    monkeypatch.setenv("GLASSLOOM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def for_the_compiler() -> Iterator[None]:
    """What users have and torch's compiler needs: no checker of shapes, and its own warnings are no errors."""
    config.update("jaxtyping_disable", True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torch")
        yield
    config.update("jaxtyping_disable", False)
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    """`commands("train", "text.txt")` runs `glassloom train text.txt` in this process."""
    return Commands(capsys)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """The folder of a tiny finished run with checkpoints of steps 2 and 4, to be looked at, or spoilt in copies."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        assert run(["train", str(folder / "text.txt"), "--runs", str(folder), "--name", "whole", *TINY]) == 0
    return folder / "whole"


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """A Chromium of a test file's own."""
    from browsing import chromium

    with chromium() as opened:
        yield opened
