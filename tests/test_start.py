"""From the command to the first step: what is not imported, and what a training says of its time."""

import copy
import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from commands import TINY, Commands
from glassloom.cli.app import COMMANDS
from glassloom.config import TrainSettings
from glassloom.models import build
from glassloom.training.foretell import evaluations, seconds_of_an_evaluation
from glassloom.training.spent import Remainder, share, spent_on
from glassloom.training.state import Progress, TrainingState
from glassloom.training.stepping import new_optimizer, take_step
from trainings import prepared, small, stream, train

NOT_TO_TRAIN = {"torch._dynamo", "torch._inductor", "sympy", "pandas", "altair", "vl_convert", "jinja2", "transformers"}
NOT_TO_HELP = {"torch", "numpy", *NOT_TO_TRAIN}
TRAIN = """
import json, sys
from glassloom.cli.app import run
code = run(["train", sys.argv[1], "--steps", "2", "--width", "8", "--optimizer", sys.argv[2], "--runs", sys.argv[3]])
print(json.dumps([code, sorted(sys.modules)]))
"""
HELP = """
import json, sys
from glassloom.cli.app import run
code = run([*sys.argv[1:], "--help"])
print(json.dumps([code, sorted(sys.modules)]))
"""


def modules_after(script: str, *arguments: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    code, modules = json.loads(done.stdout.splitlines()[-1])
    assert code == 0
    return set(modules)


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "none")
def test_help_takes_neither_torch_nor_numpy(command: list[str]) -> None:
    assert not modules_after(HELP, *command) & NOT_TO_HELP


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"])
def test_training_takes_neither_the_compiler_nor_what_pages_need(
    optimizer: str, tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSLOOM_CACHE", str(tmp_path / "cache"))
    text = tmp_path / "text.txt"
    text.write_text(tiny_text, encoding="utf-8")
    assert not modules_after(TRAIN, str(text), optimizer, str(tmp_path / "runs")) & NOT_TO_TRAIN


@pytest.mark.parametrize("name", ["sgd", "adagrad", "rmsprop", "adam", "adamw", "muon"])
def test_a_step_without_the_wrappers_is_the_optimizers_own_step(name: str) -> None:
    model = build("gru", 7, torch.Generator().manual_seed(1))
    twin = copy.deepcopy(model)
    settings = TrainSettings(optimizer=name, lr=0.01, weight_decay=0.1)
    ours, theirs = new_optimizer(model, settings), new_optimizer(twin, settings)
    before = [weights.detach().clone() for weights in model.parameters()]
    for number in range(3):
        for one in (model, twin):
            drawn = torch.Generator().manual_seed(number)
            for weights in one.parameters():
                weights.grad = torch.randn(weights.shape, generator=drawn)
        take_step(ours)
        theirs.step()
    for mine, other, old in zip(model.parameters(), twin.parameters(), before, strict=True):
        assert torch.equal(mine, other)
        assert not torch.equal(mine, old)


# -- what a training says of its time


def test_every_second_of_a_training_is_told_once(tiny_text: str, tmp_path: Path) -> None:
    result = train(stream(tiny_text), tmp_path, **small("rnn", steps=12, evaluations=3))
    told = result.run.result()
    assert told is not None
    assert set(told["beside"]) == {"evaluation", "checkpoints", "samples", "other", "scoring"}
    assert all(seconds >= 0 for seconds in told["beside"].values())
    assert result.beside == told["beside"]
    records = [record for record in result.run.metrics() if record["event"] == "evaluation"]
    spent = [record["beside"]["evaluation"] for record in records]
    assert spent == sorted(spent)
    assert spent[0] > 0
    assert told["beside"]["evaluation"] == spent[-1]


def test_what_is_left_over_is_all_the_time_that_nothing_accounts_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 11.0, 14.0, 20.0])
    monkeypatch.setattr("glassloom.training.spent.time.perf_counter", lambda: next(clock))
    progress = Progress(seconds=5.0)
    remainder = Remainder(progress)  # at 10
    with spent_on(progress, "evaluation"):  # from 11 to 14
        pass
    progress.seconds += 4.0
    remainder.settle()  # at 20: ten seconds, of which seven are known
    assert progress.beside == {"evaluation": 3.0, "other": 3.0}
    assert share(60.0, {"evaluation": 1.0, "checkpoints": 0.5, "scoring": 1.5, "samples": 7.0}) == 0.05


def test_a_resumed_run_goes_on_counting(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text)
    first = train(corpus, tmp_path, name="run", **small("rnn", steps=6, evaluations=2))
    second = train(corpus, tmp_path, name="run", resume=True, steps=12)
    assert second.beside["evaluation"] > first.beside["evaluation"]


@pytest.mark.parametrize(("minutes", "expected"), [(1.0, 4), (10.0, 9), (100.0, 20)])
def test_a_budget_in_minutes_is_evaluated_as_often_as_three_percent_of_it_pay_for(
    minutes: float, expected: int, tiny_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = stream(tiny_text)
    monkeypatch.setattr(TrainingState, "seconds_of_a_step", lambda state: 1.0)
    state = prepared(corpus, **{**small("rnn", eval_tokens=160), "steps": None, "minutes": minutes})
    forward = 160 / state.tokens_per_step() * 0.4
    numbers = sum(weights.numel() for weights in state.parameters)
    assert seconds_of_an_evaluation(state, 160) == pytest.approx(forward, rel=1e-3)
    assert numbers * 4 * 3 / 200e6 < 1e-3 * forward
    assert int(0.03 * 600 / 2.0) == 9  # 32 tokens a step: 160 tokens forward are 2 seconds
    assert evaluations(state, corpus) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc has the switch")
def test_the_allocator_keeps_large_blocks_once_training_has_begun(tiny_text: str, tmp_path: Path) -> None:
    train(stream(tiny_text), tmp_path, **small("rnn", steps=1))
    torch.ones(20_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(20_000_000)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    of_one = 80e6 / resource.getpagesize()
    assert faults < 2 * of_one, "by itself each of the ten takes as many as that one"


def test_the_closing_lines_say_where_the_time_went(commands: Commands, tiny_text: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text(tiny_text, encoding="utf-8")
    done = commands.done("train", tmp_path / "text.txt", *TINY, "--runs", tmp_path / "runs")
    assert "beside it " in done.out
    assert "to score and to save, " in done.out
