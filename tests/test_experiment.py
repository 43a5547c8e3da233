"""A recipe carried out: what is missing is trained, what is there is skipped, and the page says what was left out."""

import itertools
import json
from pathlib import Path

import pytest

from commands import Commands
from glassloom.experiment.run import run_recipe
from glassloom.recipes.checks import OF_THE_PAGE

RECIPE = """
name = "tiny"
title = "Two tiny models"
source = "nobody"
about = "A recipe for tests."
[settings]
steps = 6
seed = 3
batch_size = 4
sequence_length = 8
width = 8
layers = 1
threads = 1
eval_tokens = 100
eval_every = 2
sample_length = 4
[groups]
g = {{}}
[[part]]
name = "code"
title = "A small text"
corpus = "{text}"
runs = [
  {{ id = "one", model = "gru", group = "g" }},
  {{ id = "two", model = "rnn", group = "g" }},
]
[[part]]
name = "more"
title = "What is asked for"
corpus = "{text}"
optional = true
runs = [{{ id = "three", model = "lstm" }}]
[quick]
only = ["one"]
settings = {{ steps = 4 }}
[[target]]
run = "one"
figure = "valid_perplexity"
at_most = 1000
[[target]]
run = "two"
figure = "nats_per_token"
at_most = 0.001
[[target]]
run = "three"
figure = "nats_per_token"
at_most = 9
[[page]]
show = "losses"
part = "code"
name = "losses"
title = "Losses"
runs = ["one", "two", "three"]
[[page]]
show = "results-table"
section = "The end"
title = "All of it"
name = "table"
"""


@pytest.fixture
def recipe(tmp_path: Path, tiny_text: str) -> Path:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE.format(text=tmp_path / "text.txt"), encoding="utf-8")
    return path


def test_a_recipe_is_trained_and_shown_and_the_second_time_only_shown(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    found = commands.done("run", str(recipe), "--out", str(out), "--json").json
    assert [row["id"] for row in found["rows"]] == ["one", "two"]
    assert [target["verdict"] for target in found["targets"]] == ["reached", "missed", "not yet run"]
    assert found["targets"][1]["value"] == pytest.approx(found["rows"][1]["nats_per_token"])
    assert found == json.loads((out / "results.json").read_text(encoding="utf-8"))
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Two tiny models" in page
    assert "three" in page
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoints/*")}
    again = commands.done("run", str(recipe), "--out", str(out), "--json").json
    assert [row["nats_per_token"] for row in again["rows"]] == [row["nats_per_token"] for row in found["rows"]]
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/checkpoints/*")} == before


def test_the_quick_version_says_what_it_left_out(recipe: Path, commands: Commands) -> None:
    found = commands.done("run", str(recipe), "--quick", "--out", str(recipe.parent / "quick"), "--json").json
    assert [(row["id"], row["steps"]) for row in found["rows"]] == [("one", 4)]
    assert found["left_out"] == [
        "Not trained here: two, three; --only names them.",
        "one: 4 steps instead of 6 steps.",
    ]
    assert [target["verdict"] for target in found["targets"]] == [
        "not asked of the short version", "not yet run", "not yet run",
    ]  # fmt: skip


def test_a_run_of_another_length_is_not_judged_by_its_end(recipe: Path, commands: Commands) -> None:
    found = commands.done(
        "run", str(recipe), "--only", "one", "--epochs", "0.02", "--out", str(recipe.parent / "out"), "--json"
    ).json
    assert found["targets"][0]["verdict"] == "not at full length"
    assert found["targets"][0]["value"] == found["rows"][0]["valid_perplexity"]


def test_only_trains_what_is_named_and_shows_what_is_there(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    commands.done("run", str(recipe), "--only", "two", "--out", str(out))
    found = commands.done("run", str(recipe), "--only", "three", "--out", str(out), "--json").json
    assert [row["id"] for row in found["rows"]] == ["two", "three"]
    assert not (out / "one").exists()
    curves = next(exhibit for exhibit in found["exhibits"] if exhibit["name"] == "losses")
    assert [series["name"] for series in curves["series"]] == [
        "two · held out", "two · train", "three · held out", "three · train",
    ]  # fmt: skip
    assert curves["series"][0]["x"] == [2, 4, 6]


def test_a_time_to_fit_into_shrinks_the_budgets(recipe: Path, commands: Commands) -> None:
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("steps = 6", "steps = 100000"), encoding="utf-8")
    found = commands.done(
        "run", str(recipe), "--only", "one", "--fit", "3s", "--out", str(recipe.parent / "fit"), "--json"
    ).json
    [row] = found["rows"]
    assert 20 <= row["steps"] < 20_000
    assert "At full length this machine would take" in found["left_out"][-1]


def test_what_a_recipe_asks_of_the_page_must_exist(recipe: Path, commands: Commands) -> None:
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace('show = "losses"', 'show = "loses"'), encoding="utf-8")
    assert "did you mean losses?" in commands.refused("run", str(recipe))
    recipe.write_text(text.replace('runs = ["one", "two", "three"]', 'rums = ["one"]'), encoding="utf-8")
    assert "has no argument rums" in commands.refused("run", str(recipe))


def test_a_text_that_is_not_there_is_said_before_anything_is_trained(recipe: Path, commands: Commands) -> None:
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace(f'{recipe.parent / "text.txt"}"\noptional', 'nowhere.txt"\noptional'))
    said = commands.refused("run", str(recipe), "--only", "one,three", "--out", str(recipe.parent / "out"))
    assert "nowhere.txt" in said
    assert not (recipe.parent / "out").exists()


def test_a_failed_run_is_said_and_the_command_fails(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    commands.done("run", str(recipe), "--only", "one", "--out", str(out))
    recipe.write_text(recipe.read_text(encoding="utf-8").replace("seed = 3", "seed = 4"), encoding="utf-8")
    outcome = commands("run", str(recipe), "--out", str(out))
    assert outcome.code == 1
    [said] = [line for line in outcome.lines if line.startswith("one failed: ")]
    assert "was begun with seed 3, not 4" in said
    told = "one: seed 3 instead of 4, failed; what is shown of it is from before."
    assert told in outcome.out.splitlines()
    outcome = commands("run", str(recipe), "--out", str(out), "--json")
    assert (outcome.code, [row["status"] for row in outcome.json["rows"]]) == (1, ["failed", "finished"])
    assert any("one failed: " in line for line in outcome.lines)
    assert commands("run", str(recipe), "--out", str(out), "--replace").code == 0


def test_what_an_earlier_call_left_out_is_said_again(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    text = recipe.read_text(encoding="utf-8").replace("steps = 6", "epochs = 0.1")
    recipe.write_text(text, encoding="utf-8")
    found = commands.done("run", str(recipe), "--only", "one", "--epochs", "0.02", "--out", str(out), "--json").json
    assert found["left_out"] == [
        "Not trained here: two, three; --only names them.", "one: 0.02 epochs instead of 0.1 epochs.",
    ]  # fmt: skip
    found = commands.done("run", str(recipe), "--only", "two", "--out", str(out), "--json").json
    assert found["left_out"] == [
        "Not trained here: three; --only names them.", "one: 0.02 epochs instead of 0.1 epochs.",
    ]  # fmt: skip


def test_a_run_that_was_stopped_is_said_to_have_been(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = itertools.count()
    first = run_recipe(recipe, recipe.parent / "out", only=["one"], stop=lambda: next(steps) > 3)
    [absent, stopped] = first.left_out
    assert absent == "Not trained here: two, three; --only names them."
    assert stopped.startswith("one: interrupted after 0.0")
    again = run_recipe(recipe, recipe.parent / "out", only=["two"])
    assert [line for line in again.left_out if line.startswith("one: interrupted after 0.0")]
    assert run_recipe(recipe, recipe.parent / "out").left_out == ("Not trained here: three; --only names them.",)


def test_a_folder_of_something_else_is_refused_before_anything_is_trained(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    out.mkdir()
    for content, other in (('{"recipe": "novel-rnn"}', "novel-rnn"), ("[]", "something else"), ("{", "something else")):
        (out / "results.json").write_text(content, encoding="utf-8")
        said = commands.refused("run", str(recipe), "--out", str(out))
        assert said.startswith(f"{out} holds {other}: its results.json is not of tiny.")
        assert (out / "results.json").read_text(encoding="utf-8") == content
    (out / "results.json").unlink()
    (out / "fit.json").write_text('{"recipe": "novel-rnn"}', encoding="utf-8")
    assert "its fit.json is not of tiny" in commands.refused("run", str(recipe), "--out", str(out))
    assert [path.name for path in out.iterdir()] == ["fit.json"]


def test_another_budget_is_refused_before_another_run_is_trained(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    commands.done("run", str(recipe), "--only", "two", "--epochs", "0.02", "--out", str(out))
    assert "was given epochs 0.02, not steps 6" in commands.refused("run", str(recipe), "--out", str(out))
    assert not (out / "one").exists()


def test_flags_that_ask_for_nothing_are_refused(recipe: Path, commands: Commands) -> None:
    out = recipe.parent / "out"
    assert "jobs cannot be 0. Expected: at least 1." in commands.refused(
        "run", str(recipe), "--jobs", "0", "--out", str(out)
    )
    for only in (",", "", " , "):
        assert "names nothing" in commands.refused("run", str(recipe), f"--only={only}", "--out", str(out))
    assert not out.exists()


def test_a_name_is_never_a_path_out_of_the_folder(recipe: Path, commands: Commands) -> None:
    text = recipe.read_text(encoding="utf-8") + SYNTHESIS
    recipe.write_text(text, encoding="utf-8")
    said = commands.refused("run", str(recipe), "--out", str(recipe.parent / "out"))
    line = text.splitlines().index('name = "../../evil"') + 1
    assert said.startswith(f"{recipe}, line {line}: name of the show synthesis cannot be '../../evil'.")
    assert sorted(path.name for path in recipe.parent.iterdir()) == ["text.txt", "tiny.toml"]
    recipe.write_text(text.replace("../../evil", "story"), encoding="utf-8")
    commands.done("run", str(recipe), "--fit", "1h", "--out", str(recipe.parent / "out"))
    there = {path.name for path in (recipe.parent / "out").iterdir()}
    assert there == {"one", "two", *OF_THE_PAGE}, "what stands beside runs cannot be a run's name"


SYNTHESIS = """
[[page]]
show = "synthesis"
run = "one"
name = "../../evil"
title = "A story"
"""


def test_the_help_says_where_it_writes_and_what_can_be_named(commands: Commands) -> None:
    printed = " ".join(commands.done("run", "--help").out.replace("│", " ").split())
    assert "runs/RECIPE if not given, with --quick runs/RECIPE-quick" in printed
    assert "ids of runs, groups or parts" in printed


def test_the_list_names_source_time_and_figures(commands: Commands) -> None:
    printed = commands.done("run", "--list").out
    assert "3.4b: valid perplexity after epoch 1, within 10% of 338.95" in printed
    assert "not yet measured on a GPU" in printed
