"""`glassloom train --workers 2`: one voice, one run folder; a killed worker, a signal, and what cannot be."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from glassloom.runs import load_run
from groups import environment, free_port
from trainings import command

TINY = (
    *("--model", "gru", "--width", "8", "--layers", "1", "--batch-size", "4", "--sequence-length", "8"),
    *("--sample-length", "4", "--threads", "1", "--dropout", "0", "--lr", "0.01", "--eval-tokens", "100"),
)


@pytest.fixture
def text(tmp_path: Path, tiny_text: str) -> Path:
    """A small text in a folder of its own."""
    file = tmp_path / "text.txt"
    file.write_text(tiny_text[:3000], encoding="utf-8")
    return file


def train(text: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """A training from beginning to end."""
    with command("train", str(text), *TINY, *arguments, folder=text.parent) as started:
        out, err = started.communicate(timeout=240)
    return subprocess.CompletedProcess(started.args, started.returncode, out, err)


def workers_of(launcher: int) -> list[int]:
    """The processes that a launcher has started, by rank; empty until all are there."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            told = dict(part.split("=", 1) for part in (folder / "environ").read_text().split("\0") if "=" in part)
        except (OSError, IndexError, ValueError):
            continue
        if parent == launcher and "LOCAL_RANK" in told:
            found[int(told["LOCAL_RANK"])] = int(folder.name)
    return [found[rank] for rank in sorted(found)] if sorted(found) == [0, 1] else []


def wait_for(what: Callable[[], Any], started: "subprocess.Popen[str]", seconds: float = 120) -> Any:
    """What comes true before the command ends and the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        assert started.poll() is None, started.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not come true")


def newest(run: Path) -> int:
    """The step of the newest checkpoint; 0 before there is one."""
    steps = [int(path.name.removeprefix("step-")) for path in (run / "checkpoints").glob("step-*")]
    return max(steps, default=0)


def test_two_workers_speak_with_one_voice_and_leave_one_run(text: Path) -> None:
    given = ("--steps", "6", "--eval-every", "3", "--json")
    alone = train(text, *given, "--name", "alone")
    two = train(text, *given, "--name", "two", "--workers", "2")
    assert (alone.returncode, two.returncode) == (0, 0), two.stderr
    one, other = json.loads(alone.stdout), json.loads(two.stdout)
    assert other["steps"] == 6
    assert other["best"]["nats_per_token"] == pytest.approx(one["best"]["nats_per_token"], abs=1e-5)
    assert other["baselines"] == one["baselines"]
    for line in ("step 3  ", "step 6  ", "finished "):
        assert [said.startswith(line) for said in two.stderr.splitlines()].count(True) == 1, two.stderr
    runs = [load_run(text.parent / "runs" / name) for name in ("alone", "two")]
    first, second = (run.newest().weights() for run in runs)
    for name, weights in first.items():
        torch.testing.assert_close(second[name], weights, rtol=0, atol=1e-5)
    losses = [[line["train_nats"] for line in run.metrics() if line["event"] == "train"] for run in runs]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert len(losses[1]) == 6
    assert runs[1].environment["workers"]["size"] == 2
    assert runs[1].state() == "finished"


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the workers are found in /proc")
def test_a_killed_worker_has_all_start_again_from_the_last_checkpoint(text: Path) -> None:
    run = text.parent / "runs" / "killed"
    steps = ("--steps", "400", "--save-every", "25", "--eval-every", "1000")
    given = (*TINY, *steps, "--name", "killed", "--workers", "2", "--max-restarts", "1", "--json")
    with command("train", str(text), *given, folder=text.parent) as started:
        wait_for(lambda: newest(run) >= 50, started)
        os.kill(workers_of(started.pid)[1], signal.SIGKILL)
        out, err = started.communicate(timeout=240)
    assert started.returncode == 0, err
    assert json.loads(out)["steps"] == 400
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    (again,) = [line["step"] for line in lines if line["event"] == "resumed"]
    assert again >= 50
    assert again % 25 == 0
    logged = [line["step"] for line in load_run(run).metrics() if line["event"] == "train"]
    assert logged == sorted(set(logged))
    assert not list((run / "checkpoints").glob(".tmp-*"))


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="the workers are found in /proc")
def test_a_worker_killed_too_often_is_one_sentence_and_loses_nothing(text: Path) -> None:
    run = text.parent / "runs" / "lost"
    steps = ("--steps", "100000", "--save-every", "25", "--eval-every", "1000")
    given = (*TINY, *steps, "--name", "lost", "--workers", "2", "--max-restarts", "0")
    with command("train", str(text), *given, folder=text.parent) as started:
        wait_for(lambda: newest(run) >= 25, started)
        os.kill(workers_of(started.pid)[0], signal.SIGKILL)
        _, err = started.communicate(timeout=120)
    assert started.returncode == 3
    assert err.splitlines()[-1].startswith("error: Worker ")
    assert "--resume" in err.splitlines()[-1]
    assert "Traceback" not in err
    assert load_run(run).state() == "interrupted"
    assert load_run(run).newest().step >= 25


@pytest.mark.long
def test_a_signal_reaches_all_workers_and_what_they_did_is_saved(text: Path) -> None:
    run = text.parent / "runs" / "stopped"
    given = (*TINY, "--steps", "100000", "--eval-every", "50", "--name", "stopped", "--workers", "2")
    with command("train", str(text), *given, folder=text.parent) as started:
        wait_for(lambda: newest(run) >= 50, started)
        started.send_signal(signal.SIGTERM)
        _, err = started.communicate(timeout=120)
    assert started.returncode == 143, err
    saved = newest(run)
    assert f"saved at step {saved:,}" in err
    assert load_run(run).state() == "interrupted"
    on = train(text, "--steps", "100000", "--eval-every", "50", "--name", "stopped", "--resume", "--minutes", "1")
    assert on.returncode == 2  # another kind of budget is refused, as ever
    assert newest(run) == saved


@pytest.mark.parametrize(
    ("given", "said"),
    {
        "rows": (("--workers", "3"), "batch_size 4 cannot be dealt evenly to 3 workers"),
        "shares": (("--workers", "2", "--shard"), "weights of a gru cannot be shared out"),
        "none": (("--workers", "0"), "workers is 0"),
        "restarts": (("--workers", "2", "--max-restarts", "-1"), "max_restarts is -1"),
    }.values(),
    ids=("rows", "shares", "none", "restarts"),
)
def test_what_cannot_be_is_one_sentence(given: tuple[str, ...], said: str, text: Path) -> None:
    done = train(text, "--steps", "2", *given)
    assert done.returncode == 2, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == done.stderr.splitlines()
    assert said in done.stderr
    assert not list(text.parent.glob("runs/*"))


def worker(text: Path, rank: int, port: int, **told: str) -> "subprocess.Popen[str]":
    """A single worker, as another program than torchrun might start it."""
    waits = {"GLASSLOOM_WORKER_TIMEOUT": "4", **told}
    given = ("train", str(text), *TINY, "--steps", "100000")
    return command(*given, folder=text.parent, env=environment(rank, 2, port, **waits))


@pytest.mark.long
def test_whom_nobody_meets_says_so_in_time(text: Path) -> None:
    """A wrong address, a port in use, a partner that never comes."""
    import socket

    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        cases = {
            "nobody listens": worker(text, 1, free_port()),
            "in use": worker(text, 0, taken.getsockname()[1]),
            "alone": worker(text, 0, free_port()),
            "no such name": worker(text, 1, free_port(), MASTER_ADDR="no-such-machine.invalid"),
        }
        for case, started in cases.items():
            out, err = started.communicate(timeout=120)
            assert started.returncode == 3, (case, out, err)
            if case in ("in use", "alone"):  # the others leave it to the first to speak
                assert "could not meet the others" in err.splitlines()[-1], case
            assert "Traceback" not in err
    assert not list(text.parent.glob("runs/*"))


@pytest.mark.long
def test_a_partner_that_hangs_is_waited_for_so_long_and_no_longer(text: Path) -> None:
    port = free_port()
    first, second = (worker(text, rank, port, GLASSLOOM_WORKER_TIMEOUT="6") for rank in (0, 1))
    run = text.parent / "runs" / "text-gru"
    wait_for(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text(), first)
    second.send_signal(signal.SIGSTOP)
    try:
        _, err = first.communicate(timeout=120)
    finally:
        second.kill()
        second.communicate()
    assert first.returncode == 3
    assert "Another worker is gone, or did not answer within 6 s" in err.splitlines()[-1]
    assert load_run(run).newest().step >= 0
    assert load_run(run).state() == "interrupted"
