"""The training loop against plain loops written here, against known entropies."""

import copy
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import glassloom
from glassloom.config import Config, TrainSettings
from glassloom.data import load_text
from glassloom.data.corpus import Corpus
from glassloom.errors import SettingError
from glassloom.training import Evaluated, Sampled, Saved, Stepped, dry_run
from glassloom.training.foretell import estimated_seconds, evaluations
from glassloom.training.state import TrainingState
from trainings import (
    assert_same_weights,
    differences,
    everything,
    language,
    prepared,
    small,
    steps,
    stop_at,
    stream,
    train,
)

SAME = 1e-12


# -- one update


@pytest.mark.parametrize("model", ["rnn", "gru", "lstm"])
def test_five_updates_equal_a_plain_loop_on_streams_with_carried_detached_state(model: str, tiny_text: str) -> None:
    corpus = stream(tiny_text)
    state = prepared(corpus, **small(model, precision="float64", optimizer="adam", clip_norm=0.3, beta2=0.99))
    plain = copy.deepcopy(state.model)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2, betas=(0.9, 0.99), eps=1e-8, foreach=False)
    length = len(corpus.train.ids) // 4
    rows = torch.tensor(corpus.train.ids[: 4 * length].astype("int64")).view(4, length)
    carried = None
    for index, stepped in enumerate(steps(state, 5)):
        window = rows[:, index * 8 : index * 8 + 9]
        logits, carried = plain(window[:, :-1], carried)
        carried = tuple(part.detach() for part in carried)
        loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        norm = torch.cat([weights.grad.flatten() for weights in plain.parameters()]).norm()
        factor = min(1.0, 0.3 / (norm.item() + 1e-6))
        for weights in plain.parameters():
            weights.grad *= factor
        optimizer.step()
        assert stepped.train_nats == pytest.approx(loss.item(), abs=SAME)
        assert stepped.norm_before == pytest.approx(norm.item(), abs=1e-10)
        assert stepped.norm_after == pytest.approx(norm.item() * factor, abs=1e-10)
        assert (stepped.step, stepped.tokens) == (index + 1, 32 * (index + 1))
    assert factor < 1
    assert_same_weights(state.model, plain, SAME)
    assert state.carried is not None
    for ours, theirs in zip(state.carried, carried, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=SAME)


def test_the_state_begins_anew_at_the_start_of_each_epoch(tiny_text: str) -> None:
    corpus = stream(tiny_text, 400)
    settings = small("gru", precision="float64", optimizer="sgd", lr=1e-12)
    state = prepared(corpus, **settings)
    made = state.batches.steps_per_epoch
    first = [stepped.train_nats for stepped in steps(state, made)]
    second = [stepped.train_nats for stepped in steps(state, made)]
    assert made > 3
    assert second == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_batch_in_four_parts_makes_the_same_update(optimizer: str, tiny_text: str) -> None:
    for corpus, own in ((stream(tiny_text), {}), (language(), {"max_tokens": 200})):
        settings = small("lstm", precision="float64", optimizer=optimizer, clip_norm=1.0, **own)
        whole, parts = prepared(corpus, **settings), prepared(corpus, **settings, accumulate=4)
        for one, other in zip(steps(whole, 5), steps(parts, 5), strict=True):
            assert other.train_nats == pytest.approx(one.train_nats, abs=1e-10)
            assert other.norm_before == pytest.approx(one.norm_before, abs=1e-10)
            assert other.tokens == one.tokens
        assert_same_weights(whole.model, parts.model, 1e-10)


def test_a_transformers_memory_is_carried_from_step_to_step_in_one_part_or_several(tiny_text: str) -> None:
    corpus = stream(tiny_text)
    settings = small("transformer", precision="float64", optimizer="sgd", batching="streams")
    windows, memory = prepared(corpus, **settings), prepared(corpus, **settings, memory=1)
    parts = prepared(corpus, **settings, memory=1, accumulate=3)
    (own, *alone), (first, *carried), (_, *in_parts) = (
        [stepped.train_nats for stepped in steps(state, 6)] for state in (windows, memory, parts)
    )
    assert first == own
    assert carried == pytest.approx(in_parts, abs=1e-10)
    assert carried != pytest.approx(alone, abs=1e-6)


def test_the_loss_of_padded_sequences_is_the_mean_over_tokens_that_count() -> None:
    corpus = language()
    state = prepared(corpus, **small("gru", precision="float64", max_tokens=120))
    plain, position = copy.deepcopy(state.model), state.batches.state()
    batch = next(state.batches)
    state.batches.restore(position)
    assert batch.mask is not None
    assert not bool(batch.mask.all())
    with torch.no_grad():
        logs = plain(batch.inputs)[0].log_softmax(-1)
    picked = [
        -logs[row, place, batch.targets[row, place]].item()
        for row in range(len(batch.inputs))
        for place in range(batch.inputs.shape[1])
        if batch.mask[row, place]
    ]
    (stepped,) = steps(state, 1)
    assert stepped.train_nats == pytest.approx(sum(picked) / len(picked), abs=SAME)
    assert stepped.tokens == len(picked)


def test_norms_are_recorded_before_and_after_each_kind_of_clipping(tiny_text: str) -> None:
    corpus = stream(tiny_text)
    settings = small("gru", precision="float64")
    (free,) = steps(prepared(corpus, **settings), 1)
    assert free.norm_after == free.norm_before > 0.1
    (by_norm,) = steps(prepared(corpus, **settings, clip_norm=0.05), 1)
    assert (by_norm.norm_before, by_norm.norm_after) == (free.norm_before, pytest.approx(0.05, abs=1e-6))
    state = prepared(corpus, **settings, clip_value=0.01)
    (by_value,) = steps(state, 1)
    gradients = torch.cat([weights.grad.flatten() for weights in state.model.parameters() if weights.grad is not None])
    assert gradients.abs().max() == 0.01
    assert by_value.norm_before == free.norm_before
    assert by_value.norm_after == pytest.approx(gradients.norm().item(), abs=SAME)
    assert by_value.norm_after < free.norm_before


def test_training_reaches_the_entropy_of_a_source_that_is_known(tmp_path: Path) -> None:
    chances = {
        "a": {"a": 0.1, "b": 0.8, "c": 0.1},
        "b": {"a": 0.3, "b": 0.0, "c": 0.7},
        "c": {"a": 0.5, "b": 0.25, "c": 0.25},
    }
    rng, text = random.Random(1), ["a"]
    for _ in range(20_000):
        here = chances[text[-1]]
        text.append(rng.choices(list(here), list(here.values()))[0])
    corpus = load_text("".join(text))
    valid = corpus.text("valid")
    before = corpus.text("train")[-1] + valid
    source = -sum(math.log(chances[a][b]) for a, b in zip(before, valid, strict=False)) / len(valid)
    for model in ("gru", "lstm"):
        result = train(
            corpus,
            tmp_path,
            model,
            **small(model, width=16, batch_size=16, sequence_length=16, steps=250, schedule="linear"),
        )
        assert source - 0.005 < result.best["nats_per_token"] < source + 0.02


# -- moments and budgets


def test_things_happen_at_the_steps_that_are_asked_for(tiny_text: str, tmp_path: Path) -> None:
    seen: list[Any] = []
    settings = small("gru", lr=1e-9, optimizer="sgd", steps=13, eval_every=4, save_every=5, sample_every=6, keep=0)
    run = train(stream(tiny_text), tmp_path, on_event=seen.append, **settings).run

    def at(kind: type) -> list[int]:
        return [event.step for event in seen if isinstance(event, kind)]

    best = [event.step for event in seen if isinstance(event, Evaluated) and event.is_best]
    assert at(Stepped) == list(range(1, 14))
    assert at(Evaluated) == [4, 8, 12, 13]
    assert at(Sampled) == [6, 12, 13]
    assert at(Saved) == sorted({5, 10, 13, *best})
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [*sorted({5, 10, 13, *best}, reverse=True), 0]


@pytest.mark.parametrize(
    ("budget", "amount", "made"), [("steps", 40, 40), ("train_tokens", 40 * 32, 40), ("train_tokens", 39 * 32 + 1, 40)]
)
def test_by_default_evaluations_and_samples_share_the_budget_out(
    budget: str, amount: int, made: int, tiny_text: str, tmp_path: Path
) -> None:
    seen: list[Any] = []
    settings = {**small("rnn", eval_tokens=20), budget: amount}
    result = train(stream(tiny_text), tmp_path, on_event=seen.append, **settings)
    assert result.steps == made
    assert [event.step for event in seen if isinstance(event, Evaluated)][-1] == made
    assert len([event for event in seen if isinstance(event, Evaluated)]) == 20
    assert len([event for event in seen if isinstance(event, Sampled)]) == 4
    progress = [event.progress for event in seen if isinstance(event, Stepped)]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_where_evaluating_would_take_long_beside_training_it_is_done_less_often(tiny_text: str, tmp_path: Path) -> None:
    corpus = stream(tiny_text)
    valid = len(corpus.valid.ids)
    for steps_made, tokens, model, expected in (
        (100, 100, "rnn", 20),  # a quarter of 100 steps of 32 tokens pays for 24
        (60, 100, "rnn", 14),
        (60, 100, "transformer", 7),  # which sees every token twice
        (60, 0, "rnn", int(0.25 * 60 * 32 * 3 / valid)),
        (10, 0, "rnn", 4),
    ):
        settings = small(model, steps=steps_made, eval_tokens=tokens)
        assert evaluations(prepared(corpus, **settings), corpus) == expected
    assert evaluations(prepared(corpus, **small(steps=1, evaluations=9)), corpus) == 9
    seen: list[Any] = []
    result = train(corpus, tmp_path, on_event=seen.append, **small("rnn", steps=60))
    assert result.run.config.train.evaluations == 14
    assert len([event for event in seen if isinstance(event, Evaluated)]) == 14


def test_a_budget_in_epochs_ends_when_the_text_was_read_so_often(tiny_text: str, tmp_path: Path) -> None:
    result = train(stream(tiny_text), tmp_path, "a", epochs=0.25, **small("rnn"))
    whole = prepared(stream(tiny_text), **small("rnn")).batches.steps_per_epoch
    assert result.steps == math.ceil(whole / 4)
    padded = train(language(), tmp_path, "b", epochs=2, **small("rnn", max_tokens=120))
    assert padded.run.newest().progress()["tokens"] == 2 * targets_of(language())


def targets_of(corpus: Corpus) -> int:
    """Every token of every sequence, and its end."""
    assert corpus.train.starts is not None
    return len(corpus.train.ids) + len(corpus.train.starts)


def test_a_budget_in_minutes_counts_training_alone(tiny_text: str, tmp_path: Path) -> None:
    seen: list[Stepped] = []
    slept = [0.0]

    def dawdle(event: Any) -> None:
        if isinstance(event, Stepped):
            seen.append(event)
        if slept[0] < 0.5:
            time.sleep(0.05)
            slept[0] += 0.05

    started = time.perf_counter()
    result = train(stream(tiny_text), tmp_path, on_event=dawdle, minutes=0.2 / 60, **small("rnn", sequence_length=64))
    wall = time.perf_counter() - started
    assert seen[-2].seconds < 0.2 <= seen[-1].seconds == result.seconds
    assert result.seconds <= wall - slept[0]
    assert result.tokens_per_second == seen[-1].tokens / seen[-1].seconds


def test_patience_ends_training_after_so_many_evaluations_without_gain(tiny_text: str, tmp_path: Path) -> None:
    seen: list[Any] = []
    settings = small("rnn", lr=0.3, optimizer="sgd", momentum=0.95, eval_every=2, patience=3, steps=400, save_every=400)
    result = train(stream(tiny_text, 400), tmp_path, on_event=seen.append, **settings)
    losses = [event.valid_nats for event in seen if isinstance(event, Evaluated)]
    best = losses.index(min(losses))
    assert result.reason == "validation loss no longer fell"
    assert len(losses) == best + 4
    assert (result.steps, result.best["step"]) == (2 * len(losses), 2 * (best + 1))
    assert result.run.newest().step == result.steps


# -- looking ahead


@pytest.mark.parametrize("kind", ["streams", "windows", "padded"])
def test_foretelling_the_time_leaves_no_trace(kind: str, tiny_text: str) -> None:
    corpus = language() if kind == "padded" else stream(tiny_text)
    settings = small("gru", dropout=0.4, batching=kind, max_tokens=120, accumulate=2)
    told, untold = prepared(corpus, **settings), prepared(corpus, **settings)
    steps(told, 2)
    steps(untold, 2)
    assert told.seconds_of_a_step() > 0
    assert [s.train_nats for s in steps(told, 4)] == [s.train_nats for s in steps(untold, 4)]
    assert_same_weights(told.model, untold.model, 0.0)


def test_a_dry_run_counts_right_and_trains_and_writes_nothing(
    tiny_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = stream(tiny_text)
    width, inputs, vocabulary = 16, 12, corpus.tokenizer.size
    plan = dry_run(corpus, small("gru", width=width, embedding=inputs, steps=100, optimizer="adam"))
    layer = 3 * width * inputs + 3 * width * width + 3 * width
    expected = vocabulary * inputs + layer + vocabulary * width + vocabulary
    assert plan.parameters == expected == sum(row.parameters for row in plan.layers)
    assert plan.memory_bytes["parameters"] == plan.memory_bytes["gradients"] == 4 * expected
    assert plan.memory_bytes["optimizer"] == 8 * expected
    assert plan.flops_per_token == 6 * (3 * width * (inputs + width) + vocabulary * width)
    assert plan.steps_per_epoch == (len(corpus.train.ids) // 4 - 1) // 8
    assert plan.estimated_seconds > 0
    assert f"{expected:,} parameters" in plan.as_text()
    assert list(tmp_path.iterdir()) == []


def test_the_time_foretold_is_the_steps_left_times_that_of_one(tiny_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingState, "seconds_of_a_step", lambda state: 1.0)

    def foretold(corpus: Corpus, **settings: Any) -> float:
        return estimated_seconds(prepared(corpus, **small("rnn", **settings)))

    corpus, samples = stream(tiny_text), language()
    epoch = prepared(corpus, **small("rnn")).batches.steps_per_epoch
    assert foretold(corpus, steps=70) == foretold(corpus, train_tokens=70 * 32) == 70
    assert (foretold(corpus, epochs=2), foretold(corpus, minutes=3)) == (2 * epoch, 180)
    epoch = prepared(samples, **small("rnn", max_tokens=120)).batches.steps_per_epoch
    assert foretold(samples, max_tokens=120, train_tokens=3 * targets_of(samples)) == 3 * epoch


# -- from another run


def test_from_another_run_the_weights_and_the_tokenizer_are_taken_and_the_text_may_be_new(
    tiny_text: str, tmp_path: Path
) -> None:
    first = tmp_path / "first.txt"
    first.write_text(tiny_text[:5000], encoding="utf-8")
    second = tmp_path / "second.txt"
    second.write_text("".join(c for c in tiny_text[6000:9000] if c in tiny_text[:5000]), encoding="utf-8")
    origin = train(
        first, tmp_path, "origin", tokenizer="bpe:280", lowercase=True, **small("lstm", steps=4, ema=0.9)
    ).run
    watch, stop = stop_at(0)
    settings = {key: value for key, value in small(steps=4).items() if key not in ("model", "width", "layers")}
    tuned = train(second, tmp_path, "tuned", start_from=origin.path, stop=stop, on_event=watch, **settings).run
    assert tuned.newest().step == 0
    assert differences({"weights": origin.best().weights()}, {"weights": tuned.newest().weights()}) == []
    assert tuned.tokenizer.sha256 == origin.tokenizer.sha256
    assert (tuned.config.data.tokenizer, tuned.config.data.lowercase) == ("bpe:280", True)
    assert tuned.corpus["sha256"] != origin.corpus["sha256"]
    done = train(second, tmp_path, "tuned", resume=True)
    assert done.steps == 4
    for name, value in {"width": 16, "layers": 2, "model": "gru", "tokenizer": "char"}.items():
        with pytest.raises(SettingError, match=f"{name} cannot be changed when training goes on from run origin"):
            train(second, tmp_path, "other", start_from=origin.path, **settings, **{name: value})
    with pytest.raises(SettingError, match="another tokenizer"):
        train(stream(tiny_text), tmp_path, "other", start_from=origin.path, **settings)


# -- settings


@pytest.mark.parametrize(
    "given", [{"warmup": 1.5}, {"keep": 1}, {"lr": math.inf}, {"minutes": math.inf}, {"seed": 2**62}, {"ema": 1.0}]
)
def test_settings_that_make_no_sense_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(SettingError, match=next(iter(given))):
        Config.from_flat(given)
    assert TrainSettings(warmup=0.5).warmup == 0.5
    assert TrainSettings(warmup=3.0, keep=0).warmup == 3


def test_the_protocol_streams_is_refused_at_once_where_the_held_out_text_is_too_short(tiny_text: str) -> None:
    settings = small("gru", eval_protocol="streams", batch_size=32, eval_tokens=100)
    with pytest.raises(SettingError, match="too few for the protocol streams"):
        prepared(stream(tiny_text), **settings)


def test_two_trainings_with_one_seed_are_the_same(tiny_text: str, tmp_path: Path) -> None:
    settings = small("transformer", steps=6, dropout=0.3, batching="windows")
    found = [everything(train(stream(tiny_text), tmp_path, name, **settings).run) for name in ("a", "b")]
    assert differences(*found) == []


def test_from_python_too_another_run_reads_a_new_text_with_its_own_tokenizer(tiny_text: str, tmp_path: Path) -> None:
    origin = train(stream(tiny_text), tmp_path, "origin", **small("gru", steps=2)).run
    text = "\n".join(line for line in tiny_text[3000:6000].splitlines() if not origin.tokenizer.unknown(line))
    own = {key: value for key, value in small(steps=3).items() if key not in ("model", "width", "layers")}
    tuned = glassloom.train(text, start_from=origin.path, name="tuned", runs=tmp_path, **own).run
    assert tuned.tokenizer.sha256 == origin.tokenizer.sha256
    assert glassloom.evaluate(tuned).tokens == tuned.corpus["sizes"]["valid"]["tokens"]
