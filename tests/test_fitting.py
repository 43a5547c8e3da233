"""A recipe shrunk into a time: planned once, kept, and gone on with; and what it still evaluates."""

import json
from pathlib import Path

import pytest

from commands import Commands
from glassloom.errors import InputError, Notice
from glassloom.experiment.fitting import FIT, refitted, shrunk
from glassloom.experiment.planning import Plan, plan
from glassloom.recipes import parse

RECIPE = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "A recipe for tests."
[settings]
batch_size = 4
sequence_length = 8
width = 8
layers = 1
threads = 1
eval_tokens = 100
sample_length = 4
model = "gru"
[[part]]
name = "code"
title = "Code"
corpus = "{text}"
runs = [{{ id = "one", steps = 1000 }}, {{ id = "two", steps = 1000 }}]
"""


class Machine:
    """Seconds for each run, as they are measured; and what was measured."""

    def __init__(self, **seconds: float) -> None:
        self.seconds, self.asked = seconds, []

    def __call__(self, run) -> tuple[float, float]:
        self.asked.append(run.id)
        return self.seconds[run.id], run.given["steps"]


def steps(plan: Plan) -> dict[str, int]:
    return {run.id: run.given["steps"] for run in plan.runs}


@pytest.fixture
def full() -> Plan:
    return plan(parse(RECIPE.format(text="ptb")))


def test_the_same_time_gives_the_same_plan_though_the_machine_is_faster_now(full: Plan, tmp_path: Path) -> None:
    machine = Machine(one=100, two=100)
    first = refitted(full, 100, machine, tmp_path, "tiny", replace=False)
    assert steps(first) == {"one": 400, "two": 400}  # 0.8 of the time for 200 seconds
    machine = Machine(one=50, two=50)
    with pytest.warns(Notice, match="As planned before .*fit.json.: one, two; --replace measures this machine anew"):
        again = refitted(full, 100, machine, tmp_path, "tiny", replace=False)
    assert machine.asked == []
    assert again == first
    assert "every run was given 0.4 of its full budget" in again.left_out[-1]
    assert steps(refitted(full, 100, machine, tmp_path, "tiny", replace=True)) == {"one": 800, "two": 800}


def test_another_time_is_planned_for_what_was_not_begun_alone(full: Plan, tmp_path: Path) -> None:
    refitted(full, 100, Machine(one=100, two=100), tmp_path, "tiny", replace=False)
    trained(tmp_path / "one", "finished")
    machine = Machine(two=100)
    with pytest.warns(Notice, match=": one; "):
        again = refitted(full, 75, machine, tmp_path, "tiny", replace=False)
    assert machine.asked == ["two"]
    assert steps(again) == {"one": 400, "two": 600}  # 60 seconds for what takes 100
    assert "the shortened runs were given 0.4 to 0.6 of their full budgets" in again.left_out[-1]


def test_what_an_unfinished_run_still_needs_is_taken_off_the_time(full: Plan, tmp_path: Path) -> None:
    refitted(full, 100, Machine(one=100, two=100), tmp_path, "tiny", replace=False)
    trained(tmp_path / "one", "interrupted")
    with pytest.warns(Notice):
        again = refitted(full, 75, Machine(two=100), tmp_path, "tiny", replace=False)
    assert steps(again) == {"one": 400, "two": 200}  # 60 seconds, of which one has 40
    with pytest.warns(Notice):
        short = refitted(full, 40, Machine(two=100), tmp_path, "tiny", replace=False)
    assert steps(short) == {"one": 400}
    assert short.dropped == ("two",)
    assert "Left out, for want of time: two." in short.left_out
    with pytest.warns(Notice, match="two"):
        same = refitted(full, 40, Machine(), tmp_path, "tiny", replace=False)
    assert same.dropped == ("two",), "it stays left out"


def test_a_run_that_was_begun_without_a_plan_keeps_its_length(full: Plan, tmp_path: Path) -> None:
    trained(tmp_path / "one", "finished")
    with pytest.warns(Notice, match=": one; "):
        found = refitted(full, 50, Machine(two=100), tmp_path, "tiny", replace=False)
    assert steps(found) == {"one": 1000, "two": 400}


def test_a_damaged_plan_is_refused(full: Plan, tmp_path: Path) -> None:
    (tmp_path / FIT).write_text('{"recipe": "tiny", "runs": [1]}', encoding="utf-8")
    with pytest.raises(InputError, match=r"fit\.json is damaged"):
        refitted(full, 50, Machine(one=100, two=100), tmp_path, "tiny", replace=False)


def trained(folder: Path, status: str) -> None:
    """A run's folder, as far as a plan looks into it."""
    folder.mkdir()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "result.json").write_text(json.dumps({"status": status}), encoding="utf-8")


def test_evaluations_stay_where_they_are_while_one_is_left() -> None:
    given = {"model": "gru", "steps": 1000, "eval_every": 207, "sample_every": 828, "save_every": 100}
    assert shrunk(given, 0.5, 1000) == {**given, "steps": 500, "sample_every": 414}
    assert shrunk(given, 0.1, 1000) == {**given, "steps": 100, "eval_every": 20, "sample_every": 82}
    epochs = {"model": "gru", "epochs": 20, "eval_every": 207}
    assert shrunk(epochs, 0.5, 4140) == {"model": "gru", "epochs": 10, "eval_every": 207}
    assert shrunk(epochs, 0.05, 4140) == {"model": "gru", "epochs": 1, "eval_every": 207}
    minutes = {"model": "gru", "minutes": 20, "eval_every": 200}
    assert shrunk(minutes, 0.5, float("inf")) == {"model": "gru", "minutes": 10, "eval_every": 100}


def test_a_recipe_that_was_fitted_goes_on_with_the_same_command(
    tmp_path: Path, tiny_text: str, commands: Commands
) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(RECIPE.format(text=tmp_path / "text.txt").replace("1000", "100000"))
    call = ("run", tmp_path / "tiny.toml", "--fit", "4s", "--out", tmp_path / "out", "--json")
    first = commands.done(*call).json
    given = [row["steps"] for row in first["rows"]]
    outcome = commands.done(*call)
    assert [row["steps"] for row in outcome.json["rows"]] == given
    assert outcome.json["left_out"] == first["left_out"]
    assert [line for line in outcome.notices if "As planned before" in line and "one, two" in line]
    assert f"one: {given[0]} steps instead of 100000 steps." in first["left_out"]
