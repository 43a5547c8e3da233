"""A recipe carried out: what is missing is trained, what is there is skipped, and the page says what was left out."""

import json
from pathlib import Path

import pytest

from commands import Commands

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


def test_the_list_names_source_time_and_figures(commands: Commands) -> None:
    printed = commands.done("run", "--list").out
    assert "3.4b: valid perplexity after epoch 1, within 10% of 338.95" in printed
    assert "not yet measured on a GPU" in printed
