"""Who carries runs out: plans are drawn as there is room, one run can be ended, a dead process loses nothing."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glassloom.cli.placed import PlacedWatchers
from glassloom.comparison.compare import compare
from glassloom.comparison.execution import Alone, Ended, Lost, Outcome, Placed, Work, carried_out, fitted_to
from glassloom.comparison.grid import Planned
from glassloom.comparison.places import Where
from glassloom.data import load_text
from glassloom.data.corpus import Corpus
from glassloom.runs import load_run
from glassloom.training import Began, Saved, Stepped
from trainings import differences, everything

SETTINGS = {
    "width": 8, "layers": 1, "batch_size": 4, "sequence_length": 16, "eval_tokens": 200, "eval_every": 100,
    "sample_length": 5, "sample_every": 500, "save_every": 20, "steps": 300, "lr": 0.01, "threads": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tiny_text: str) -> Corpus:
    return load_text(tiny_text[:3000])


def test_a_plan_is_drawn_after_the_outcomes_before_it_and_a_dropped_run_is_saved(
    corpus: Corpus, tmp_path: Path
) -> None:
    ended: list[Outcome] = []
    drawn: list[tuple[str, int]] = []
    steps: dict[str, int] = {}

    def plans() -> Iterator[Planned]:
        for number in range(3):
            id = f"trial-{number}"
            drawn.append((id, len(ended)))
            yield Planned(id, id, {**SETTINGS, "model": "rnn", "seed": number})

    def watch(id: str, event: Any) -> None:
        if isinstance(event, Stepped):
            steps[id] = event.step

    crew = Alone(Work(tmp_path, replace=False, command="", on_event=watch))
    hopeless = "trial-1"
    for outcome in carried_out(
        plans(), crew, lambda plan: corpus, drop=lambda id: id == hopeless and steps.get(id, 0) >= 7
    ):
        ended.append(outcome)
    assert drawn == [("trial-0", 0), ("trial-1", 1), ("trial-2", 2)]
    assert [outcome.status for outcome in ended] == ["finished", "interrupted", "finished"]
    assert load_run(tmp_path / hopeless).newest().step == 7


def test_a_process_that_is_killed_loses_nothing(corpus: Corpus, tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []
    killed: list[int] = []

    def watch(id: str, event: Any) -> None:
        told.append((id, event))
        if isinstance(event, Saved) and event.step >= 40 and not killed:
            place = next(event.place for other, event in reversed(told) if other == id and isinstance(event, Placed))
            killed.append(int(place.removeprefix("process ")))
            os.kill(killed[0], signal.SIGKILL)

    found = compare(corpus, ["rnn", "gru"], SETTINGS, tmp_path / "two", where=Where(jobs=2), on_event=watch)
    assert [row.status for row in found.rows] == ["finished", "finished"]
    assert {id for id, event in told if isinstance(event, Lost)}, "the run of the killed process, at least"
    assert any(isinstance(event, Began) and event.resumed for _, event in told)
    assert {(id, event.status) for id, event in told if isinstance(event, Ended)} == {
        ("rnn", "finished"),
        ("gru", "finished"),
    }
    here = compare(corpus, ["rnn", "gru"], SETTINGS, tmp_path / "one")
    for row, other in zip(found.rows, here.rows, strict=True):
        assert row.nats_per_token == other.nats_per_token
        assert differences(everything(load_run(row.run)), everything(load_run(other.run))) == []


def test_a_run_that_is_there_keeps_the_threads_that_it_was_begun_with(tmp_path: Path) -> None:
    plan = Planned("a", "a", {"model": "gru"})
    assert fitted_to(plan, tmp_path, False, threads=2).given == {"model": "gru", "threads": 2}
    assert fitted_to(Planned("a", "a", {"threads": 1}), tmp_path, False, threads=2).given == {"threads": 1}
    (tmp_path / "a").mkdir()
    assert fitted_to(plan, tmp_path, False, threads=2) == plan
    assert fitted_to(plan, tmp_path, True, threads=2).given["threads"] == 2


def test_the_live_table_says_what_runs_where_and_counts_the_rest() -> None:
    from io import StringIO

    from rich.console import Console

    screen = StringIO()
    watchers = PlacedWatchers(Console(file=screen, force_terminal=True, width=100, height=12, color_system=None))
    facts = {
        "tokenizer": "char", "corpus": "text", "sizes": {"train": {"tokens": 100, "characters": 100},
        "valid": {"tokens": 10, "characters": 10}}, "vocabulary": 4, "split_rule": "90/5/5", "sha256": "0" * 64,
        "model": "gru", "parameters": 10, "device": "cpu", "precision": "float32", "threads": 1, "kernels": None,
        "compiled": False, "seed": 0, "estimated_seconds": 1.0, "run": "runs/a",
    }  # fmt: skip
    for number in range(20):
        watchers(f"run-{number:02d}", Placed(f"host-{number % 2} (node 0, process {number})"))
        watchers(f"run-{number:02d}", Began(0, False, facts))
    watchers("run-00", Stepped(1500, 1.0, 1500, 2.0, 0.25, 0.6931471805599453, 0.01, 1.0, 1.0))
    watchers("run-19", Ended("finished", None))
    watchers("run-18", Lost("host-0 (node 0, process 18)", "its machine is gone"))
    watchers.draw(at_once=True)
    watchers.close()
    last = " ".join(screen.getvalue().split("run  ")[-1].split())
    assert "run-00 host-0 (node 0, process 0) 1,500 25% 1.000" in last
    assert "10 more under way, 1 waits, 18 trains, 1 finished, 1 moved to another process" in last
    assert "run-18: lost with host-0 (node 0, process 18) (its machine is gone)" in screen.getvalue()
