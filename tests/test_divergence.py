"""Where training must stop, by name and step, and where it goes on in less memory."""

import copy
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from glassloom.api import evaluate, generate
from glassloom.errors import Notice, SettingError, TrainingError
from glassloom.runs import load_run
from glassloom.training import Stepped, dry_run
from glassloom.training.loop import note_divergence, patience_above_uniform
from trainings import assert_same_weights, language, prepared, small, steps, stream, train


def test_an_absurd_learning_rate_stops_training_by_name_and_step_and_keeps_a_good_checkpoint(
    tiny_text: str, tmp_path: Path
) -> None:
    settings = small("gru", optimizer="sgd", lr=1e38, steps=50, save_every=1)
    with pytest.raises(
        TrainingError, match=r"stopped at step \d+: the (weight|gradient|training loss).* NaN or inf"
    ) as caught:
        train(stream(tiny_text), tmp_path, **settings)
    assert caught.value.exit_code == 1
    run = load_run("run", tmp_path)
    assert run.state() == "diverged"
    assert run.result()["reason"] == str(caught.value)
    assert f"the last good checkpoint is that of step {run.newest().step}" in str(caught.value)
    assert run.newest().step == int(str(caught.value).split("at step ")[1].split(":")[0]) - 1
    assert all(torch.isfinite(weights).all() for weights in run.model().parameters())


def test_a_nan_names_the_weight_or_the_gradient_it_is_in(tiny_text: str) -> None:
    state = prepared(stream(tiny_text), **small("gru"))
    steps(state, 2)
    before = copy.deepcopy(state.model.state_dict())
    weights = state.model.get_parameter("layers.0.recurrent_weight")
    hook = weights.register_hook(lambda gradient: gradient.index_fill(0, torch.tensor([3]), math.inf))
    with pytest.raises(TrainingError, match=r"step 3: the gradient of layers\.0\.recurrent_weight became NaN"):
        steps(state, 1)
    hook.remove()
    assert all(torch.equal(value, before[name]) for name, value in state.model.state_dict().items())
    with torch.no_grad():
        weights[0, 0] = math.nan
    with pytest.raises(TrainingError, match=r"step 3: the weight layers\.0\.recurrent_weight became NaN"):
        steps(state, 1)
    with pytest.raises(TrainingError, match=r"the weight layers\.0\.recurrent_weight"):
        state.weights()


def test_a_sample_from_what_is_not_finite_stops_training_too(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=1e30, steps=9, eval_every=9, save_every=9, sample_every=1)
    with pytest.raises(TrainingError, match=r"step 1: what the model samples from became NaN"):
        train(stream(tiny_text), tmp_path, **settings)
    run = load_run("run", tmp_path)
    assert (run.state(), run.newest().step) == ("diverged", 0)
    assert "the last good checkpoint is that of step 0, the untrained model." in run.result()["reason"]


def test_a_loss_far_above_uniform_stops_training_unless_told_to_go_on(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=300.0, steps=150, eval_every=50)
    with pytest.raises(TrainingError, match=r"far above the 4.* of a uniform guess") as caught:
        train(stream(tiny_text), tmp_path, "stops", **settings)
    assert "--no-stop-on-divergence; the last good checkpoint is that of step 0, the untrained model." in str(
        caught.value
    )
    assert "stopped at step 32:" in str(caught.value), "the first is at uniform, then a fifth of 150, and one"
    result = train(stream(tiny_text), tmp_path, "on", stop_on_divergence=False, **settings)
    assert (result.status, result.steps) == ("finished", 150)


def test_a_short_run_that_is_lost_stops_before_its_budget_is_used(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=300.0, steps=20, eval_every=2)
    with pytest.raises(TrainingError, match=r"far above .* the last good checkpoint is that of step 0") as caught:
        train(stream(tiny_text), tmp_path, **settings)
    run = load_run("run", tmp_path)
    assert run.result()["step"] == 7, "the first is at uniform, then five, and one"
    assert [checkpoint.step for checkpoint in run.checkpoints()][-1] == 0, "the last good one is kept"
    assert caught.value.what.startswith("Training stopped at step 7:")


def test_a_run_is_patient_for_a_fifth_of_its_steps_but_five_at_least_and_a_hundred_at_most() -> None:
    def patience(step: int, progress: float) -> int:
        return patience_above_uniform(Stepped(step, 0.0, 0, 0.0, progress, 0.0, 0.0, 0.0, 0.0))

    assert [patience(step, 0.1) for step in (1, 3, 10, 40, 50, 1000)] == [5, 6, 20, 80, 100, 100]
    assert patience(7, 0.0) == 100


@pytest.mark.parametrize("leap", [100.0, 1e5])
def test_a_single_leap_does_not_stop_a_short_run(leap: float, tiny_text: str) -> None:
    state = prepared(stream(tiny_text), **small("rnn"))
    for step in range(1, 26):
        nats = leap if step == 9 else 3.0
        note_divergence(state, Stepped(step, 0.0, 0, 0.0, step / 25, nats, 0.0, 0.0, 0.0))
    assert state.progress.steps_above_uniform == 0


def test_a_run_that_diverged_is_used_with_a_notice_that_says_from_which_step(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=1e30, steps=9, eval_every=9, save_every=9, sample_every=1)
    with pytest.raises(TrainingError):
        train(stream(tiny_text), tmp_path, **settings)
    used = "Run run diverged; the checkpoint of step 0, the untrained model, is used."
    for use in (lambda: evaluate("run", root=tmp_path), lambda: generate("run", root=tmp_path, length=2)):
        with pytest.warns(Notice) as said:
            use()
        assert [str(one.message) for one in said] == [used]


def test_a_loss_beyond_every_perplexity_is_written_down_all_the_same(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=1e6, steps=20, eval_every=10, stop_on_divergence=False)
    result = train(stream(tiny_text), tmp_path, **settings)
    assert result.best["nats_per_token"] > 710
    assert result.best["perplexity"] is None
    assert result.run.result()["best"] == result.best


def out_of_memory_beyond(rows: int) -> Callable[..., None]:
    def hook(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if inputs[0].shape[1] > rows and torch.is_grad_enabled():  # the embedding's: time batch
            raise torch.OutOfMemoryError("out of memory")

    return hook


@pytest.mark.parametrize("kind", ["streams", "padded"])
def test_when_memory_runs_out_the_batch_is_halved_and_the_update_stays_the_same(kind: str, tiny_text: str) -> None:
    corpus = stream(tiny_text) if kind == "streams" else language()
    settings = small("gru", precision="float64", batch_size=8, max_tokens=200)
    whole, halved = prepared(corpus, **settings), prepared(corpus, **settings)
    halved.model.embedding.register_forward_pre_hook(out_of_memory_beyond(2))
    with pytest.warns(Notice, match=r"Memory ran out; batches of \d+ rows now run in \d+ parts"):
        found = steps(halved, 4)
    assert halved.progress.parts >= 4
    assert [s.train_nats for s in found] == pytest.approx([s.train_nats for s in steps(whole, 4)], abs=1e-10)
    assert_same_weights(whole.model, halved.model, 1e-10)


def test_when_not_even_one_row_fits_training_says_so(tiny_text: str) -> None:
    state = prepared(stream(tiny_text), **small("gru"))
    state.model.embedding.register_forward_pre_hook(out_of_memory_beyond(0))
    with pytest.raises(TrainingError, match="a single row"), pytest.warns(Notice):
        steps(state, 1)
    assert state.seconds_of_a_step() == 0.0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says and limits how much memory a process may take")
def test_memory_that_really_runs_out_halves_the_batch(tiny_text: str, tmp_path: Path) -> None:
    script = """
import resource, sys, warnings
from pathlib import Path
from glassloom.data import load_text
from glassloom.training import train
warnings.simplefilter("always")
corpus = load_text(sys.stdin.read() * 9)
settings = {"model": "gru", "layers": 1, "threads": 1, "width": 8, "batch_size": 2, "sequence_length": 8, "steps": 1}
train(corpus, settings, root=sys.argv[1], name="first", with_baselines=False)
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 120 * 2**20, -1))
settings |= {"width": 128, "batch_size": 384, "sequence_length": 200, "steps": 2, "eval_tokens": 100}
train(corpus, settings, root=sys.argv[1], name="large", with_baselines=False)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], input=tiny_text, text=True, capture_output=True, check=True
    )
    assert "Memory ran out; batches of 384 rows now run in" in done.stderr


def test_a_model_beyond_the_machines_memory_is_refused_in_one_sentence(tiny_text: str, tmp_path: Path) -> None:
    for width in (10**6, 10**9, 10**12):
        for begin in (lambda s: train(stream(tiny_text), tmp_path, **s), lambda s: dry_run(stream(tiny_text), s)):
            with pytest.raises(SettingError, match="memory"):
                begin(small("lstm", width=width, steps=1))
    assert not list(tmp_path.iterdir())
