"""The recipe of a chapter known by heart, carried out small: its page's figures, and what its targets ask for."""

import math
from pathlib import Path
from typing import Any

import pytest

from commands import Commands
from glassloom.experiment.shows.chapter import usually_right
from glassloom.experiment.shows.stuck import where_reported
from glassloom.recipes import load_recipe

POEM = "the cat sat on a mat\nthe dog ran to a hill\na bird flew to the sea\nall of them came home\n"
OTHER = "a dog sat on the hill and saw the sea\nthe bird came home to the cat, they say\n" * 2
RECIPE = """
name = "poem"
title = "A poem by heart"
source = "nobody"
about = "For tests."
[settings]
sequences = "lines"
marks = "text"
lowercase = true
split = "all"
threads = 1
width = 32
layers = 1
batch_size = 2
sample_prompt = "the"
sample_length = 9
sample_temperature = 0.0
keep = 0
[[part]]
name = "by-heart"
title = "By heart"
corpus = "{folder}/poem.txt"
runs = [
  {{ id = "lstm", model = "lstm", lr = 2e-2, epochs = 100, eval_every = 50 }},
  {{ id = "later", model = "gru", epochs = 1 }},
]
[[part]]
name = "stuck"
title = "Stuck"
corpus = "{folder}/poem.txt"
settings = {{ model = "transformer", heads = 2, context = 32, steps = 150, lr = 1e-2 }}
runs = [
  {{ id = "broken", output = "probabilities" }},
  {{ id = "mended" }},
  {{ id = "broken-plain", output = "probabilities", attention_bias = false }},
]
[quick]
only = ["lstm", "stuck"]
[[target]]
figure = "lstm excess"
at_most = 0.02
quick = true
[[page]]
show = "memorising-error"
runs = ["lstm", "later"]
reported = "E memorise LSTM"
[[page]]
show = "memorising-other-text"
runs = ["lstm"]
corpus = "{folder}/other.txt"
shortest = 10
[[page]]
show = "doubled-softmax"
of = "stuck"
"""


@pytest.fixture(scope="module")
def exhibits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The recipe's exhibits by name, and its targets."""
    from glassloom.experiment.run import run_recipe

    folder = tmp_path_factory.mktemp("chapter")
    (folder / "poem.txt").write_text(POEM)
    (folder / "other.txt").write_text(OTHER)
    (folder / "poem.toml").write_text(RECIPE.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        results = run_recipe(load_recipe(folder / "poem.toml"), folder / "out", quick=True).as_dict()
    return {**{one["name"]: one for one in results["exhibits"]}, "targets": results["targets"]}


def column(table: dict[str, Any], title: str) -> list[Any]:
    """The cells under a title."""
    place = [one["title"] for one in table["columns"]].index(title)
    return [row[place] for row in table["rows"]]


def test_the_error_comes_down_to_the_exact_floor_beside_the_reported_points(exhibits: dict[str, Any]) -> None:
    # given t: h a e in one of two, e and its space for sure, then c or d; given a: l or a space, one each
    lowest = (math.log(2) / 20 + math.log(2) / 21 + math.log(2) / 22 + math.log(2) / 21) / 4
    curve, table = exhibits["training-error"], exhibits["memorised"]
    assert curve["marks"] == {"floor": pytest.approx(lowest)}
    assert column(table, "run") == ["reported (LSTM)", "lstm"]
    assert column(table, "excess")[1] == pytest.approx(column(table, "error")[1] - lowest)
    assert 0 <= column(table, "excess")[1] <= 0.02
    assert column(table, "whole")[1] == 4
    assert exhibits["targets"][0]["verdict"] == "reached"
    ours, reported = curve["series"]
    assert ours["x"] == [0, 25, 50, 75, 100]
    assert ours["y"][0] == pytest.approx(math.log(21), abs=0.6)
    assert dict(zip(reported["x"], reported["y"], strict=True))[1000] == 0.0293
    assert column(exhibits["error-by-epoch"], "lstm")[:3] == [ours["y"][0], ours["y"][2], ours["y"][4]]


def test_the_end_counts_what_is_right_before_the_first_wrong_character(exhibits: dict[str, Any]) -> None:
    assert [usually_right(drifts) for drifts in ([0, 3, 4, 9], [0], [2, 5, 5], [])] == [3.5, 0, 5, None]
    table = exhibits["memorised"]
    assert column(table, "others: right before drifting off, median") == [None, None]  # all four are right to the end
    assert "how many characters after these are right before the first wrong one" in table["caption"]


def test_other_text_is_not_known_by_heart_and_its_unknown_symbols_are_left_out(exhibits: dict[str, Any]) -> None:
    table = exhibits["other-text"]
    assert column(table, "error, other text")[0] > 20 * column(table, "error, trained on")[0]
    assert column(table, "right, trained on")[0] > 0.94  # all but the places where lines part
    assert 0.1 < column(table, "right, other text")[0] < 0.85


def test_the_broken_transformers_loss_is_the_one_foretold_and_the_mended_one_goes_below_it(
    exhibits: dict[str, Any],
) -> None:
    table = exhibits["stuck-sweep"]
    vocabulary = len(set(POEM))
    losses, right = column(table, "nats a character"), column(table, "right")
    for place in (0, 2):
        assert column(table, "foretold")[place] == pytest.approx(math.log(math.e + vocabulary - 1) - right[place])
        assert losses[place] > math.log(math.e + vocabulary - 1) - 1 - 1e-6
        assert abs(column(table, "beyond it")[place]) < 0.1
    assert losses[1] < 0.2 < losses[0]
    assert column(table, "biases") == ["yes", "yes", "no"]
    assert "change the loss by at most" in exhibits["why-it-stuck"]["paragraphs"][1]
    assert [text["label"] for text in exhibits["stuck-samples"]["texts"]] == ["broken", "mended", "broken-plain"]


def test_where_the_reported_losses_lie_is_computed_from_our_text() -> None:
    assert where_reported(3.45, 3.7).startswith("The reported losses lie between these,")
    told = where_reported(3.562, 3.635)
    assert told.startswith("The reported losses reach from 0.062 below the lower of these to between the two,")
    assert "on the report's own one these two rules cost 3.634 and 3.548" in told
    assert where_reported(3.562, 3.59).startswith(
        "The reported losses reach from 0.062 below the lower of these to 0.01"
    )
    assert where_reported(3.1, 3.2).startswith("The reported losses lie above both")
    assert where_reported(3.9, 3.8).startswith("The reported losses lie below both")


def test_the_recipe_has_the_reports_model_its_updates_and_its_sweep() -> None:
    recipe = load_recipe("memorise-chapter")
    given = {run.id: recipe.given(part, run) for part, run in recipe.runs()}
    assert given["lstm-as-reported"]["epochs"] == 1000
    assert (given["lstm-as-reported"]["batch_size"], given["lstm-as-reported"]["lr"]) == (1, 5e-4)
    sweep = {(one["lr"], one["output"], one.get("attention_bias", True)) for one in given.values() if "output" in one}
    assert sweep == {
        (lr, output, bias)
        for lr in (1e-5, 1e-4, 1e-3, 5e-3)
        for output in ("probabilities", "logits")
        for bias in (True, False)
    }


def test_the_quick_recipe_names_runs_that_there_are(commands: Commands, data_folder: Path) -> None:
    found = commands.done("run", "--list", "--json").json
    assert "memorise-chapter" in str(found)
