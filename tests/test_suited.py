"""What training takes by itself where no model is asked for, and what `--fast` stands for."""

import math
from pathlib import Path

import pytest

import glassloom
from glassloom.errors import Notice
from glassloom.training.suited import CHOICES, fast, is_open, suited

TEXT = "the cat sat on the mat, and the dog sat on the log; the frog ate the hog.\n" * 200


def test_the_choice_is_left_open_only_where_no_model_and_no_count_was_given() -> None:
    assert is_open({})
    assert is_open({"minutes": 3, "lr": 1e-3})
    for named in ({"model": "gru"}, {"width": 64}, {"heads": 2}, {"steps": 5}, {"epochs": 1}, {"train_tokens": 9}):
        assert not is_open(named), named


def test_more_time_takes_a_larger_model_and_more_passes_drop_more() -> None:
    widths = [suited({"minutes": minutes}, 10**6)[0]["width"] for minutes in (0.1, 1.5, 10, 60)]
    layers = [suited({"minutes": minutes}, 10**6)[0]["layers"] for minutes in (0.1, 1.5)]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert layers == [1, 2]
    dropouts = [suited({"minutes": 2}, tokens)[0]["dropout"] for tokens in (10**8, 2 * 10**6, 10**5)]
    assert dropouts == [0.0, 0.1, 0.2]
    assert CHOICES[-1].up_to_minutes == math.inf


def test_it_says_what_was_chosen_and_why(tmp_path: Path) -> None:
    with pytest.warns(Notice, match=r"for 0\.02 min a GRU of 1 layer of 256 is taken.* --model names another"):
        run = glassloom.train(TEXT, minutes=0.02, lr=1e-3, runs=tmp_path).run
    assert (run.config.model.width, run.config.model.layers) == (256, 1)
    assert run.config.train.lr == 1e-3  # what was given stands above what was chosen


def test_fast_is_a_few_updates_of_a_small_model_beneath_what_is_given(tmp_path: Path) -> None:
    assert fast({})["steps"] == 200
    assert fast({"minutes": 1}).get("steps") is None
    result = glassloom.train(TEXT, fast=True, steps=7, runs=tmp_path)
    assert result.steps == 7
    assert result.run.config.model.width == 256
    own = glassloom.train(TEXT, "rnn", fast=True, steps=3, width=8, runs=tmp_path)
    assert own.run.config.architecture == "rnn"
    assert own.run.config.model.width == 8
    given = glassloom.train(TEXT, fast=True, steps=3, lr=1e-3, runs=tmp_path)
    assert given.run.config.train.lr == 1e-3


def test_a_choice_leaves_out_what_does_not_go_with_the_rest(tmp_path: Path) -> None:
    assert "lr" not in fast({"optimizer": "sgd"})
    assert "lr" not in suited({"minutes": 5, "optimizer": "muon"}, 10**6)[0]
    assert suited({"minutes": 5, "optimizer": "adamw"}, 10**6)[0]["lr"] == 5e-3
    run = glassloom.train(TEXT, fast=True, steps=2, optimizer="sgd", runs=tmp_path).run
    assert run.config.train.lr == 1.0
    sequences = glassloom.train(TEXT, fast=True, steps=2, sequences="lines", runs=tmp_path).run
    assert sequences.config.train.batching == "padded", "windows would run across the sequences' borders"


def test_fast_fits_its_batches_to_a_short_text(tmp_path: Path) -> None:
    run = glassloom.train(TEXT[:800], fast=True, steps=2, runs=tmp_path).run
    assert run.config.train.batch_size * (run.config.train.sequence_length or 0) < 800


def test_fast_learns_more_than_a_bigram_model_knows(tmp_path: Path) -> None:
    result = glassloom.train(TEXT, fast=True, steps=60, runs=tmp_path)
    assert result.best["nats_per_token"] < result.baselines["bigram"]["nats_per_token"]


def test_a_run_that_is_resumed_keeps_what_was_chosen(tmp_path: Path) -> None:
    first = glassloom.train(TEXT, minutes=0.01, name="one", runs=tmp_path)
    again = glassloom.train(TEXT, minutes=0.02, name="one", resume=True, runs=tmp_path)
    assert again.steps > first.steps
    assert again.run.config.model == first.run.config.model
