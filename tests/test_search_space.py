"""What a search may choose from, and what it costs."""

import math
import random
import re
from pathlib import Path
from typing import Any

import pytest

from commands import Commands
from glassloom.config import Config
from glassloom.errors import RunError, SettingError
from glassloom.models import ARCHITECTURES
from glassloom.tuning import search
from glassloom.tuning.budget import brackets, expected_share, moment_of, seconds_of_a_trial, time_used
from glassloom.tuning.space import Dimension, default_space, defaults, parse_space, space_of


def test_a_space_is_a_range_or_values_of_the_settings_own_kind() -> None:
    assert parse_space("lr=1e-4..1e-2:log", "gru") == Dimension("lr", 1e-4, 1e-2, log=True)
    assert parse_space("width=64..500:64", "gru") == Dimension("width", 64, 448, step=64)
    assert parse_space("--train.batch-size=8,16", "gru") == Dimension("batch_size", choices=(8, 16))
    assert parse_space("tied=true,false", "lstm").choices == (True, False)
    assert parse_space("clip_norm=none,1,5", "rnn").choices == (None, 1.0, 5.0)
    assert parse_space("tokenizer=char,bpe:500", "gru").choices == ("char", "bpe:500")
    for text in ("lr=0.0001..0.01:log", "width=64..448:64", "tied=true,false", "clip_norm=none,1,5"):
        assert str(parse_space(text, "gru")) == text, "what is kept reads back"


REFUSED = {
    "lrr=1..2": "did you mean lr?",
    "lr": "is no space to search",
    "heads=2,4": "gru has no setting heads; it is a setting of transformer",
    "dropout=0..0.5:log": "has no logarithm",
    "lr=-1..1": "lr cannot be -1",
    "lr=nan..1": "lr cannot be nan",
    "dropout=0..1": "dropout cannot be 1",
    "layers=1.5..3": "layers cannot be 1.5",
    "layers=3..1": "goes from 3 to 1",
    "lr=1e-3..1e-2:4": "'4' is no scale for lr",
    "width=64..100:64": "no step of 64",
    "optimizer=adam..muon": "has no range",
    "optimizer=adam,adamm": "did you mean adam?",
    "tokenizer=char,chars": "did you mean char?",
    "lr=1e-3": "leaves nothing to choose",
    "widths=64,128": "whose commas cannot be told",
    "minutes=1,2": "all trials have the same budget",
    "seed=1,2": "the luckiest start",
    "eval_tokens=1,2": "judged alike",
    "lowercase=true,false": "changes the text that trials are scored on",
    "model=gru,lstm": "one architecture",
    "data.lr=1,2": "did you mean train.lr?",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_searched_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(SettingError) as error:
        parse_space(text, "gru")
    assert REFUSED[text] in str(error.value)
    assert "\n" not in str(error.value)


def test_a_setting_is_fixed_or_searched_and_searched_once() -> None:
    with pytest.raises(SettingError, match="both fixed and searched"):
        space_of(["lr=1,2"], "gru", {"lr": 1e-3})
    with pytest.raises(SettingError, match="searched twice"):
        space_of(["lr=1,2", "lr=1..2"], "gru", {})
    assert {one.name for one in space_of([], "gru", {"lr": 1})} == {one.name for one in default_space("gru")} - {"lr"}
    with pytest.raises(SettingError, match="Nothing is left to search"):
        space_of([], "gru", dict.fromkeys(one.name for one in default_space("gru")))


@pytest.mark.parametrize("model", ARCHITECTURES)
def test_every_architectures_own_list_holds_its_defaults_and_fits_together(model: str) -> None:
    space = default_space(model)
    first = defaults(space, {"model": model})
    usual = Config.from_flat({"model": model}).flat()
    assert first == {one.name: usual[one.name] for one in space}
    draw = random.Random(1)
    for _ in range(200):
        drawn = {
            one.name: draw.choice(one.choices)
            if one.choices
            else draw.randrange(int(one.low or 0), int(one.high or 0) + 1, one.step or 1)
            if one.whole
            else draw.uniform(float(one.low or 0), float(one.high or 0))
            for one in space
        }
        Config.from_flat({"model": model, **drawn})


def test_a_number_that_is_trained_has_four_digits_and_stays_in_its_range() -> None:
    one = Dimension("lr", 0.00123456, 0.00987654, log=True)
    assert one.trained(0.0031234567) == 0.003123
    assert one.trained(0.00987651) == 0.00987654, "rounded up it would leave the range"
    assert Dimension("layers", 1, 3).trained(2) == 2


@pytest.mark.parametrize("evaluations", [3, 9, 27])
def test_the_expected_share_of_a_budget_is_that_of_hyperband_played(evaluations: int) -> None:
    """Losses that never change rank: at each rung exactly one in three of a large bracket goes on."""
    used, count = 0.0, 0
    shares = brackets(evaluations)
    assert math.isclose(sum(shares), 1)
    for bracket, share in enumerate(shares):
        there = 27 * round(1000 * share)
        count += there
        at, left, rung = 0, there, 3**bracket
        while rung < evaluations:
            used += left * (rung - at) / evaluations
            at, left, rung = rung, left / 3, rung * 3
        used += left * (evaluations - at) / evaluations
    assert expected_share(evaluations) == pytest.approx(used / count, rel=2e-3)


def test_trials_get_what_fits_so_many_into_the_time() -> None:
    assert seconds_of_a_trial(100, 1, 1, 9) == pytest.approx(85), (
        "one trial alone has it all, but for what is kept back"
    )
    assert seconds_of_a_trial(100, 50, 2, 9) == pytest.approx(2 * seconds_of_a_trial(100, 50, 1, 9))
    assert seconds_of_a_trial(100, 1, 8, 9) == pytest.approx(85), "a process more than trials is of no use"
    assert seconds_of_a_trial(1000, 1000, 1, 1) == pytest.approx(0.85), "judged once, no trial is ever stopped early"


def test_time_in_which_no_trial_ran_does_not_count() -> None:
    sessions = [(0, 10), (5, 12), (100, 103), (101, 102)]
    assert time_used(sessions) == 15
    assert moment_of(101, sessions) == 13
    assert moment_of(50, sessions) == 12
    assert time_used([]) == 0


BAD: dict[str, dict[str, Any]] = {
    "trials cannot be 0": {"trials": 0},
    "minutes cannot be nan": {"minutes": float("nan")},
    "processes cannot be -1": {"processes": -1},
    "5,000 trials do not fit into 0.1 minutes": {"trials": 5000, "minutes": 0.1},
    "--each and --steps are both budgets": {"each": 1.0, "steps": 5},
    "2 budgets: epochs and steps": {"epochs": 1, "steps": 5},
    "equal shares of its budget": {"eval_every": 5},
    "holds none out": {"split": "all"},
    "searched twice": {"space": ["lr=1..2", "lr=3,4"]},
    "cannot be a run's name": {"name": "a/b"},
    "did you mean width?": {"widht": 5},
}


@pytest.mark.parametrize("said", BAD)
def test_bad_arguments_are_refused_before_anything_is_written(said: str, tmp_path: Path, tiny_text: str) -> None:
    text = tmp_path / "text.txt"
    text.write_text(tiny_text[:4000], encoding="utf-8")
    with pytest.raises(SettingError if "name" not in BAD[said] else RunError, match=re.escape(said)):
        search(text, "gru", runs=tmp_path / "runs", **BAD[said])
    assert not (tmp_path / "runs").exists()


def test_the_command_refuses_in_one_sentence(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "did you mean gru?" in commands.refused("search", "text.txt", "--model", "gruu")
