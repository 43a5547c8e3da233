"""Recipes: data that is checked to the line, what they plan, and how they shrink."""

from pathlib import Path

import pytest

from glassloom.comparison.grid import Planned
from glassloom.config import Config
from glassloom.errors import InputError
from glassloom.experiment.fitting import fitted
from glassloom.experiment.planning import duration, plan
from glassloom.models import build
from glassloom.models.summary import parameter_count
from glassloom.recipes import listed, load_recipe, parse

TINY = """
name = "tiny"
title = "Tiny"
source = "nobody"
about = "A recipe for tests."
[settings]
steps = 100
seed = 3
[groups]
wide = { width = 16 }
[[part]]
name = "words"
title = "Words"
corpus = "python-stdlib"
settings = { model = "gru" }
runs = [
  { id = "one", width = 8, lr = 1e-3 },
  { id = "two", group = "wide", minutes = 2 },
]
[quick]
only = ["one"]
settings = { steps = 10 }
"""


def refusal(text: str) -> str:
    with pytest.raises(InputError) as error:
        parse(text, "my.toml")
    return str(error.value)


@pytest.mark.parametrize("name", listed())
def test_every_listed_recipe_can_be_read_and_its_settings_are_known(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    for quick in (False, True):
        assert plan(recipe, quick=quick).runs
    assert list(recipe.targets())


@pytest.mark.parametrize("name", listed())
def test_a_recipe_is_at_most_about_a_hundred_lines(name: str) -> None:
    assert len(listed()[name].read_text(encoding="utf-8").splitlines()) <= 125


@pytest.mark.parametrize(
    ("before", "after", "line", "named"),
    [
        (
            'title = "Words"',
            'titel = "Words"',
            13,
            "unknown key titel. Expected: one of name, title, corpus, about, optional, settings, runs; did you",
        ),
        (
            "[quick]",
            "[quick]\nsetings = {}",
            21,
            "unknown key setings. Expected: one of only, settings, runs; did you mean settings?",
        ),
        ("steps = 100", "steps = ", 7, "is no TOML"),
        ('id = "two"', 'id = "one"', 18, "two runs are called one"),
        ('corpus = "python-stdlib"', "corpus = 3", 14, "corpus cannot be 3. Expected: text"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_named_with_its_line(before: str, after: str, line: int, named: str) -> None:
    assert before in TINY
    said = refusal(TINY.replace(before, after, 1))
    assert f"line {line}" in said, said
    assert named in said, said


def test_a_missing_key_is_named() -> None:
    assert "source is missing" in refusal(TINY.replace('source = "nobody"', ""))


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("lr = 1e-3", "lrr = 1e-3", 17),
        ("seed = 3", "seeed = 3", 8),
        ("wide = { width = 16 }", "wide = { widht = 16 }", 10),
        ("settings = { steps = 10 }", "settings = { stepss = 10 }", 22),
    ],
)
def test_an_unknown_setting_is_refused_with_its_line_and_the_nearest_name(before: str, after: str, line: int) -> None:
    assert before in TINY
    said = refusal(TINY.replace(before, after))
    assert f"my.toml, line {line}: there is no setting" in said
    assert "did you mean" in said


def test_a_setting_that_does_not_fit_is_refused_by_the_run_and_what_was_expected() -> None:
    said = refusal(TINY.replace("lr = 1e-3", "lr = -1"))
    assert said.startswith("my.toml, line 17: run one: lr cannot be -1. Expected: a number that is above 0.")


def test_an_unknown_recipe_or_run_names_the_nearest() -> None:
    with pytest.raises(InputError, match=r"no recipe ptb-architecture\. .*did you mean ptb-architectures\?"):
        load_recipe("ptb-architecture")
    with pytest.raises(InputError, match=r"no run 3\.2x\. .*did you mean 3\.2"):
        plan(load_recipe("ptb-architectures"), only=["3.2x"])


def test_later_settings_replace_earlier_ones_and_a_budget_any_budget() -> None:
    recipe = parse(TINY)
    one, two = plan(recipe).runs
    assert one.given == {"steps": 100, "seed": 3, "model": "gru", "width": 8, "lr": 1e-3}
    assert two.given == {"seed": 3, "model": "gru", "width": 16, "minutes": 2}
    [quick] = plan(recipe, quick=True).runs
    assert quick.given["steps"] == 10
    assert plan(recipe, only=["wide"], epochs=2).runs[0].given == {"seed": 3, "model": "gru", "width": 16, "epochs": 2}


def test_a_name_that_is_a_run_and_a_group_names_the_run() -> None:
    recipe = parse(TINY.replace("wide", "one"))
    assert [run.id for run in plan(recipe, only=["one"]).runs] == ["one"]
    assert [run.id for run in plan(recipe, only=["words"]).runs] == ["one", "two"]


def seconds_for(costs: dict[str, tuple[float, float]]):
    return lambda run: costs[run.id]


def test_what_does_not_fit_into_the_time_is_shrunk_by_one_factor_and_said() -> None:
    full = plan(parse(TINY))
    shrunk = fitted(full, 100.0, seconds_for({"one": (150.0, 100), "two": (50.0, 1000)}))
    assert [run.given.get("steps", run.given.get("minutes")) for run in shrunk.runs] == [40, 0.8]  # 0.8 * 100 / 200
    assert "200 seconds" not in shrunk.left_out[-1]
    assert "3 minutes" in shrunk.left_out[-1]
    assert "0.4 of its full budget" in shrunk.left_out[-1]
    assert fitted(full, 1000.0, seconds_for({"one": (150.0, 100), "two": (50.0, 1000)})).runs == full.runs


def test_a_run_that_would_get_next_to_nothing_is_left_out_for_the_others() -> None:
    shrunk = fitted(plan(parse(TINY)), 10.0, seconds_for({"one": (1000.0, 100), "two": (8.0, 1000)}))
    assert [run.id for run in shrunk.runs] == ["two"]
    assert shrunk.runs[0].given["minutes"] == 2
    assert "Left out, for want of time: one." in shrunk.left_out


def test_a_time_into_which_nothing_fits_is_refused() -> None:
    with pytest.raises(InputError, match="No run fits into"):
        fitted(plan(parse(TINY)), 0.5, seconds_for({"one": (1000.0, 100), "two": (800.0, 100)}))
    for text in ("soon", "-3min", "0", "3 weeks"):
        with pytest.raises(InputError, match="--fit cannot be"):
            duration(text)


def test_the_fifteen_settings_have_the_sizes_that_the_reference_gives() -> None:
    runs = {run.id: run for run in plan(load_recipe("ptb-architectures"), only=["words"]).runs}
    assert len(runs) == 15

    def parameters(run: Planned) -> int:
        return parameter_count(build(Config.from_flat(run.given).model, 10_000))

    # embedding and output, and layers of width 512: 3 gates, or 1, times (inputs + width + 1) times width
    def recurrent(gates: int) -> int:
        return 10_000 * 200 + gates * 512 * (200 + 512 + 1) + gates * 512 * (512 + 512 + 1) + 10_000 * 513

    assert parameters(runs["3.2a"]) == recurrent(3) == 9_799_568
    assert parameters(runs["3.1a"]) == recurrent(1) == 8_019_856


def test_the_fifteen_settings_have_no_decay_and_no_warm_up_of_ours() -> None:
    for run in plan(load_recipe("ptb-architectures"), only=["words"]).runs:
        train = Config.from_flat(run.given).train
        assert (train.weight_decay, train.warmup, train.momentum, train.ema) == (0, 0, 0, None), run.id
        assert (train.clip_norm, train.schedule, train.beta1, train.beta2) == (0.25, "constant", 0.9, 0.999), run.id


def test_every_reported_history_has_its_epochs() -> None:
    from glassloom.experiment.history import reported_history
    from glassloom.recipes import rows_of

    rows = rows_of("ptb")
    history = reported_history(rows, "3.2a")
    assert history is not None
    assert history.best == (110.22, 17.0)
    assert history.valid[0] == 284.31
    assert history.seconds[-1] == pytest.approx(852.37)
    assert reported_history(rows, "9.9z") is None


def test_a_recipe_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_recipe(tmp_path / "mine.toml")


def test_the_table_in_the_readme_comes_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parent.parent
    monkeypatch.syspath_prepend(str(root / "benchmarks"))
    import recipes

    readme = (root / "README.md").read_text(encoding="utf-8")
    told = readme.split(recipes.BEGIN)[1].split(recipes.END)[0].strip()
    assert told == recipes.table(), "write it anew: python benchmarks/recipes.py"
