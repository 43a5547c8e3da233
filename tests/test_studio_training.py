"""Trainings begun from the page: a process as a user would start it, its curve as it grows, and Ctrl-C that saves."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from glassloom.errors import GlassloomError
from glassloom.runs import load_run
from glassloom.studio import Address
from glassloom.studio.trainings import Trainings
from studios import Asked, serving, until

SLOW = {"minutes": 30, "model": "gru"}


def state(server: Any, name: str) -> dict[str, object]:
    runs = {run["name"]: run for run in Asked(server, "/api/runs").json["runs"]}
    return runs.get(name, {})


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.usefixtures("one_thread")
def test_a_training_is_begun_watched_and_stopped_and_keeps_what_it_learnt(tmp_path: Path, tiny_text: str) -> None:
    with serving(tmp_path / "runs") as server:
        begun = Asked(server, "/api/train", {"text": tiny_text, "name": "mine", **SLOW}).json["training"]
        [text] = (tmp_path / "runs" / "texts").iterdir()
        assert text.read_text(encoding="utf-8") == tiny_text
        assert (
            begun["command"]
            == f"glassloom train {text} --runs {tmp_path / 'runs'} --name mine --minutes 30 --model gru"
        )
        until(lambda: state(server, "mine").get("state") == "running", 60)

        def points() -> int:
            return len(Asked(server, "/api/curves?run=mine").json["curves"]["mine"]["train"]["step"])

        early = until(points)
        until(lambda: points() > early)
        live = state(server, "mine")["live"]
        assert isinstance(live, dict)
        assert 0 < live["progress"] < 1
        taken = Asked(server, "/api/train", {"text": tiny_text, "name": "mine", **SLOW})
        assert "being trained already" in taken.json["error"]["what"]
        assert Asked(server, "/api/stop", {"name": "mine"}).status == 200
        assert Asked(server, "/api/stop", {"name": "mine"}).status in (200, 400), "a second click does no harm"
        until(lambda: state(server, "mine").get("state") == "interrupted")
        [told] = until(lambda: [one for one in Asked(server, "/api/runs").json["trainings"] if not one["running"]])
        assert told["code"] == 130, "as Ctrl-C would have it"
        run = load_run("mine", tmp_path / "runs")
        newest = run.newest()
        assert newest.step >= live["step"] > 0, "the step at which it was stopped, not the last one that was due"
        assert newest.fault() is None
        lines = Asked(server, "/api/write", {"run": "mine", "prompt": "", "length": 5}).lines
        assert lines[-1] == {"end": "length"}


@pytest.mark.usefixtures("one_thread")
def test_what_fails_says_why(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        assert Asked(server, "/api/train", {"text": "ab", "name": "small", "minutes": 1}).status == 200
        [ended] = until(lambda: [one for one in Asked(server, "/api/runs").json["trainings"] if not one["running"]])
        assert ended["code"] == 2
        assert "too small" in ended["said"] or "characters" in ended["said"] or "tokens" in ended["said"]
        assert Asked(server, "/api/runs").json["runs"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"name": "a"},
        {"name": "a", "minutes": 1},
        {"name": "a", "minutes": 1, "text": "  "},
        {"name": "a", "minutes": 0, "text": "abc"},
        {"name": "a", "minutes": "1", "text": "abc"},
        {"name": "a", "minutes": 1e9, "text": "abc"},
        {"name": "a", "minutes": True, "text": "abc"},
        {"name": "a", "minutes": 1, "text": "abc", "model": "--help"},
        {"name": "--help", "minutes": 1, "text": "abc"},
        {"name": "a", "minutes": 1, "corpus": "/etc/passwd"},
        {"name": "a", "minutes": 1, "corpus": "--help"},
        {"name": "whole", "minutes": 1, "text": "abc"},
    ],
)
def test_nothing_that_is_wrong_is_begun(trained: Path, asked: dict[str, object]) -> None:
    trainings = Trainings(trained.parent)
    with pytest.raises(GlassloomError):
        trainings.start(asked)
    assert trainings.as_dicts() == []


@pytest.mark.usefixtures("one_thread")
def test_only_what_was_begun_here_is_stopped(trained: Path) -> None:
    with serving(trained.parent) as server:
        for name in ("whole", "nothing", None, 3, ["whole"]):
            answer = Asked(server, "/api/stop", {"name": name})
            assert "not being trained from this page" in answer.json["error"]["what"]


def test_ctrl_c_ends_the_studio_and_its_trainings_save_first(tmp_path: Path, tiny_text: str) -> None:
    """The command itself, in a process of its own: one line with the address, an answer, Ctrl-C, 130."""
    (tmp_path / "text.txt").write_text(tiny_text, encoding="utf-8")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    studio = subprocess.Popen(
        [sys.executable, "-m", "glassloom", "studio", str(tmp_path / "runs"), "--port", "0", "--no-open", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        assert studio.stdout is not None
        printed = studio.stdout.readline()
        while not printed.rstrip().endswith("}"):
            printed += studio.stdout.readline()
        address = json.loads(printed)["address"]

        server = SimpleNamespace(address=Address("127.0.0.1", int(address.split(":")[2].rstrip("/")), None))
        until(lambda: answers(server), 30)
        assert Asked(server, "/api/train", {"text": tiny_text, "name": "kept", **SLOW}).status == 200
        until(lambda: state(server, "kept").get("state") == "running", 60)
        until(lambda: Asked(server, "/api/curves?run=kept").json["curves"]["kept"]["train"]["step"], 30)
        studio.send_signal(signal.SIGINT)
        assert studio.wait(60) == 130
    finally:
        if studio.poll() is None:
            studio.kill()
        studio.communicate()
    run = load_run("kept", tmp_path / "runs")
    assert run.state() == "interrupted"
    assert run.newest().step > 0
    assert run.newest().fault() is None


def answers(server: Any) -> bool:
    try:
        return Asked(server, "/api/runs").status == 200
    except OSError:
        time.sleep(0.05)
        return False
