"""A run that was stopped and resumed is, to the last bit, the run that was never stopped."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from glassloom.errors import RunError
from glassloom.runs import load_run
from glassloom.runs.checkpoint import Checkpoint
from trainings import differences, everything, language, small, stop_at, stream, train

CASES: dict[str, dict[str, Any]] = {
    "streams, adam, dropout, ema, accumulate": {
        "model": "gru", "optimizer": "adam", "dropout": 0.3, "ema": 0.9, "accumulate": 2, "steps": 14,
    },
    "streams, adamw, cosine and warm-up": {
        "model": "lstm", "optimizer": "adamw", "dropout": 0.2, "schedule": "cosine", "warmup": 3, "steps": 14,
        "weight_decay": 0.1,
    },
    "streams, sgd with momentum, plateau, in epochs": {
        "model": "rnn", "optimizer": "sgd", "momentum": 0.9, "dropout": 0.1, "schedule": "plateau", "lr": 3.0,
        "plateau_patience": 1, "epochs": 0.2,
    },
    "streams with a transformer's memory, muon": {
        "model": "transformer", "optimizer": "muon", "memory": 1, "batching": "streams", "dropout": 0.2,
        "dropout_attention": 0.2, "accumulate": 2, "steps": 14,
    },
    "windows, rmsprop with momentum, ema, in tokens": {
        "model": "transformer", "optimizer": "rmsprop", "momentum": 0.5, "batching": "windows", "dropout": 0.2,
        "ema": 0.8, "train_tokens": 14 * 32, "lr": 1e-3,
    },
    "windows, muon on gates": {"model": "gru", "optimizer": "muon", "batching": "windows", "dropout": 0.3, "steps": 14},
    "padded, adagrad, trainable start": {
        "model": "lstm", "optimizer": "adagrad", "dropout": 0.2, "max_tokens": 120, "initial_state": "trainable",
        "schedule": "step", "epochs": 1.4,
    },
    "padded, adamw, ema, plateau, accumulate": {
        "model": "gru", "optimizer": "adamw", "dropout": 0.2, "max_tokens": 120, "ema": 0.9, "accumulate": 2,
        "schedule": "plateau", "plateau_patience": 1, "steps": 14,
    },
    "dropout of words, weights and states": {
        "model": "lstm", "dropout_words": 0.2, "dropout_recurrent": 0.3, "dropout_state": 0.2, "accumulate": 2,
        "steps": 14,
    },
    "streams of random lengths, in epochs": {
        "model": "gru", "batching": "streams", "random_lengths": True, "sequence_length": 20, "dropout": 0.2,
        "epochs": 1.3, "batch_size": 8,
    },
    "random lengths with a transformer's memory": {
        "model": "transformer", "batching": "streams", "random_lengths": True, "memory": 1, "context": 12,
        "sequence_length": 12, "steps": 70, "schedule": "linear",
    },
    "bfloat16": {"model": "gru", "precision": "bfloat16", "dropout": 0.2, "steps": 14},
    "bfloat16 transformer": {"model": "transformer", "precision": "bfloat16", "dropout": 0.2, "steps": 14},
    "float64": {"model": "lstm", "precision": "float64", "dropout": 0.2, "steps": 14, "ema": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_run_stopped_half_way_and_resumed_equals_one_that_was_never_stopped(
    case: str, tiny_text: str, tmp_path: Path
) -> None:
    settings = small(**{"eval_every": 3, "sample_every": 5, **CASES[case]})
    corpus = language() if case.startswith("padded") else stream(tiny_text)
    whole = train(corpus, tmp_path, "whole", **settings)
    assert whole.steps > 10
    watch, stop = stop_at(7)
    part = train(corpus, tmp_path, "part", stop=stop, on_event=watch, **settings)
    assert (part.status, part.steps) == ("interrupted", 7)
    assert part.run.state() == "interrupted"
    watch, stop = stop_at(8)  # once more, in the middle of what is summed up between two evaluations
    train(corpus, tmp_path, "part", resume=True, stop=stop, on_event=watch, **settings)
    resumed = train(corpus, tmp_path, "part", resume=True, **settings)
    assert differences(everything(whole.run), everything(load_run(tmp_path / "part"))) == []
    assert resumed.best == whole.best
    assert resumed.run.config == whole.run.config


def test_the_cases_are_unlike_so_that_equality_means_something(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text)
    one = train(corpus, tmp_path, "one", **small(steps=6, dropout=0.3))
    for name, changes in {"seed": {"seed": 1}, "dropout": {"dropout": 0.2}, "ema": {"ema": 0.5}}.items():
        other = train(corpus, tmp_path, name, **small(**{"steps": 6, "dropout": 0.3, **changes}))
        assert "weights output.weight" in differences(everything(one.run), everything(other.run))


def test_a_run_begun_before_losses_were_smoothed_goes_on(
    tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, settings = stream(tiny_text), small(steps=9)
    whole = train(corpus, tmp_path, "whole", **settings)
    watch, stop = stop_at(5)
    train(corpus, tmp_path, "part", stop=stop, on_event=watch, **settings)
    now = Checkpoint.progress
    monkeypatch.setattr(
        Checkpoint, "progress", lambda self: {k: v for k, v in now(self).items() if k != "smoothed_nats"}
    )
    resumed = train(corpus, tmp_path, "part", resume=True, **settings)
    same = ["metrics"]  # the running mean begins anew; weights, optimizer and all else are those of the whole run
    assert differences(everything(whole.run), everything(resumed.run)) == same


def test_a_fresh_process_goes_on_to_the_last_bit(tiny_text: str, tmp_path: Path) -> None:
    settings = small("gru", steps=14, dropout=0.3, eval_every=3, optimizer="adam", batching="streams")
    corpus = stream(tiny_text)
    whole = train(corpus, tmp_path, "whole", **settings)
    watch, stop = stop_at(7)
    train(corpus, tmp_path, "part", stop=stop, on_event=watch, **settings)
    script = (
        "import json, sys; from glassloom.data import load_text; from glassloom.training import train;"
        "settings, text, root = json.load(sys.stdin);"
        "train(load_text(text), settings, root=root, name='part', resume=True, with_baselines=False)"
    )
    given = json.dumps([settings, tiny_text[:3000], str(tmp_path)])
    subprocess.run([sys.executable, "-c", script], input=given, text=True, check=True)
    assert differences(everything(whole.run), everything(load_run(tmp_path / "part"))) == []


@pytest.mark.parametrize("batching", ["streams", "windows"])
def test_a_finished_run_is_extended_to_what_a_longer_one_would_have_been(
    batching: str, tiny_text: str, tmp_path: Path
) -> None:
    corpus = stream(tiny_text)
    settings = small("gru", batching=batching, dropout=0.3, eval_every=4, sample_every=100, save_every=4)
    long = train(corpus, tmp_path, "long", steps=16, **settings)
    short = train(corpus, tmp_path, "short", steps=8, **settings)
    assert short.run.state() == "finished"
    again = train(corpus, tmp_path, "short", resume=True, steps=8, **settings)
    assert (again.steps, again.best) == (8, short.best)  # finished: only looked up
    extended = train(corpus, tmp_path, "short", resume=True, steps=16)
    one, two = everything(long.run), everything(extended.run)
    assert [sample["step"] for sample in two.pop("samples")] == [8, 16]
    assert [sample["step"] for sample in one.pop("samples")] == [16]
    for found in (one, two):  # how often the loss is logged depends on the budget
        found["metrics"] = [line for line in found["metrics"] if line["event"] == "evaluation"]
    assert differences(one, two) == []
    assert extended.run.config.train.steps == 16
    assert extended.best == long.best


def test_a_run_that_patience_ended_goes_on_when_more_is_asked_for(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", lr=1e-9, eval_every=1, patience=2, seed=3, optimizer="sgd")
    first = train(stream(tiny_text), tmp_path, steps=50, **settings)
    assert first.steps < 50
    assert first.reason == "validation loss no longer fell"
    assert first.run.newest().step == first.steps
    second = train(stream(tiny_text), tmp_path, resume=True, steps=60)
    assert second.steps >= first.steps + 2


def test_with_an_average_the_saved_weights_are_the_averaged_ones_and_the_best_is_what_was_scored(
    tiny_text: str, tmp_path: Path
) -> None:
    decay, raw = 0.7, []
    corpus = stream(tiny_text)
    settings = small("gru", steps=6, ema=decay, eval_every=1, keep=0)
    run = train(corpus, tmp_path, **settings).run
    found = sorted(run.checkpoints(), key=lambda checkpoint: checkpoint.step)
    assert [checkpoint.step for checkpoint in found] == list(range(7))
    for checkpoint in found[1:]:
        state = checkpoint.training_state()
        raw.append({name.removeprefix("raw/"): value for name, value in state.items() if name.startswith("raw/")})
        shares = torch.tensor([decay ** (len(raw) - 1 - i) for i in range(len(raw))], dtype=torch.float64)
        for name, averaged in checkpoint.weights().items():
            expected = sum(s * w[name].double() for s, w in zip(shares / shares.sum(), raw, strict=True))
            torch.testing.assert_close(averaged.double(), expected, rtol=0, atol=1e-6)
    assert not torch.equal(raw[-1]["output.weight"], found[-1].weights()["output.weight"])
    losses = {c.step: c.progress()["valid_nats"] for c in found[1:]}
    assert run.best().step == min(losses, key=losses.__getitem__)


def test_a_setting_that_differs_is_refused_by_name_and_the_budget_may_change(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text)
    settings = small(steps=4)
    train(corpus, tmp_path, **settings)
    for changed, value in {"lr": 0.5, "width": 16, "seed": 9, "lowercase": True}.items():
        with pytest.raises(RunError, match=f"begun with {changed}"):
            train(corpus, tmp_path, resume=True, **{**settings, changed: value})
    with pytest.raises(RunError, match="another text"):
        train(stream(tiny_text, 2999), tmp_path, resume=True, **settings)
    assert train(corpus, tmp_path, resume=True, **settings).steps == 4


def test_resume_starts_a_run_where_there_is_none_yet(tiny_text: str, tmp_path: Path) -> None:
    result = train(stream(tiny_text), tmp_path, resume=True, **small(steps=3))
    assert (result.status, result.steps) == ("finished", 3)


def test_a_run_without_a_name_is_found_again_with_its_own_tokenizer(tiny_text: str, tmp_path: Path) -> None:
    text = tmp_path / "novel.txt"
    text.write_text(tiny_text[:6000], encoding="utf-8")
    first = train(text, tmp_path, None, tokenizer="bpe:300", **small(steps=3))
    again = train(text, tmp_path, None, resume=True, steps=5)
    assert (again.run, again.steps) == (first.run, 5)


def test_a_run_killed_between_its_last_step_and_its_summary_is_summed_up_on_resume(
    tiny_text: str, tmp_path: Path
) -> None:
    corpus = stream(tiny_text)
    first = train(corpus, tmp_path, **small(steps=4))
    written = {key: value for key, value in first.run.result().items() if key != "best"}
    first.run.write_result(written)
    again = train(corpus, tmp_path, resume=True, **small(steps=4))
    assert (again.best, again.tokens_per_second) == (first.best, first.tokens_per_second)
    assert again.run.result()["best"] == first.best


def test_no_step_is_logged_twice_after_a_resume_from_an_older_checkpoint(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text)
    settings = small(steps=12, eval_every=4, sample_every=4, dropout=0.2)
    whole = train(corpus, tmp_path, "whole", **settings)
    watch, stop = stop_at(6)
    run = train(corpus, tmp_path, "part", stop=stop, on_event=watch, **settings).run
    (run.newest().path / "manifest.json").unlink()
    with pytest.warns(Warning, match="step-6 is passed over: it is incomplete"):
        train(corpus, tmp_path, "part", resume=True, **settings)
    steps = [line["step"] for line in run.metrics() if line["event"] == "train"]
    assert steps == list(range(1, 13))
    assert differences(everything(whole.run), everything(run)) == []
