"""What a run's history tells: each finding by curves with known numbers, and by runs that really went wrong."""

import math
from pathlib import Path

import numpy as np
import pytest

from glassloom.data import DataSettings, load_text
from glassloom.doctor.finding import Finding
from glassloom.doctor.history import judged
from glassloom.doctor.rates import update_ratios
from glassloom.doctor.recorded import recorded
from glassloom.errors import TrainingError
from glassloom.models import ARCHITECTURES
from glassloom.runs import Run, load_run
from histories import history, noisy, rewritten, trained, with_baselines
from trainings import language, small, stream, train


def found(run: Run) -> dict[str, Finding]:
    return {finding.name: finding for finding in judged(history(run))}


@pytest.fixture
def run(tiny_text: str, tmp_path: Path) -> Run:
    return with_baselines(trained(stream(tiny_text), tmp_path), unigram=3.2, bigram=2.5)


FALLS = np.linspace(4.3, 2.0, 300)
STEPS = np.arange(300)


def decay(begin: float, end: float, over: float = 40.0, count: int = 300) -> np.ndarray:
    """A curve that falls exponentially and is flat at its end."""
    return end + (begin - end) * np.exp(-np.arange(count) / over)


def test_an_ordinary_curve_has_no_finding(run: Run) -> None:
    assert found(rewritten(run, noisy(decay(4.3, 2.0)), [2.6, 2.3, 2.1])) == {}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_short_runs_of_every_architecture_are_healthy(name: str, tiny_text: str, tmp_path: Path) -> None:
    for title, corpus in (("text", stream(tiny_text, 20_000)), ("language", language("ndfa", 200))):
        settings = small(name, steps=120, width=16, schedule="cosine", lr=5e-3, eval_every=40)
        result = train(corpus, tmp_path, title, **settings)
        assert not [one for one in judged(history(result.run)) if one.severity != "note"]


def test_a_loss_that_ends_above_uniform_is_fatal_and_alone(run: Run) -> None:
    uniform = math.log(run.corpus["vocabulary"])
    reached = found(rewritten(run, noisy(np.full(300, uniform + 0.4)), [uniform + 0.5]))
    assert list(reached) == ["loss-above-uniform"]
    only = reached["loss-above-uniform"]
    assert (only.severity, only.evidence["uniform_nats"]) == ("fatal", uniform)
    assert only.evidence["last_nats"] == pytest.approx(uniform + 0.4, abs=0.01)
    assert "--lr" in only.fix


def test_training_that_was_stopped_is_named_by_what_stopped_it(tiny_text: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError):
        train(stream(tiny_text), tmp_path, "nan", **small("gru", optimizer="sgd", lr=1e38, steps=50))
    with pytest.raises(TrainingError):
        train(stream(tiny_text), tmp_path, "far", **small("rnn", optimizer="sgd", lr=300.0, steps=60))
    reached = found(load_run("nan", tmp_path))
    assert list(reached) == ["non-finite"]
    assert "became NaN or infinite" in reached["non-finite"].explanation
    assert list(found(load_run("far", tmp_path))) == ["loss-above-uniform"]
    settings = small("rnn", optimizer="sgd", lr=300.0, steps=60, stop_on_divergence=False)
    went_on = train(stream(tiny_text), tmp_path, "on", **settings).run
    assert list(found(went_on)) == ["loss-above-uniform"], "no stop is needed to see it"


def test_memory_that_ran_out_is_said(run: Run) -> None:
    (run.path / "result.json").write_text(
        '{"status": "failed", "reason": "Memory ran out with a single row", "step": 3, "seconds": 1.0, "tokens": 9}'
    )
    assert "out-of-memory" in found(rewritten(run, noisy(decay(4.3, 2.0))))


def test_a_rate_that_is_far_too_low_never_moves_the_loss(tiny_text: str, tmp_path: Path) -> None:
    settings = small("gru", steps=60, lr=1e-9, eval_every=5, schedule="constant")
    one = with_baselines(train(stream(tiny_text), tmp_path, **settings).run, unigram=3.2)
    reached = found(one)
    assert list(reached) == ["loss-never-moved"]
    assert reached["loss-never-moved"].evidence["highest_rate"] == 1e-9
    assert abs(reached["loss-never-moved"].evidence["moved_nats"]) < 0.05
    assert "loss-never-moved" not in found(with_baselines(one, unigram=4.2)), "noise cannot be learned"


def test_updates_that_are_too_small_or_too_large_beside_the_weights_are_measured(
    tiny_text: str, tmp_path: Path
) -> None:
    tiny = train(stream(tiny_text), tmp_path, "tiny", **small("gru", steps=40, lr=1e-9, eval_every=5)).run
    least = update_ratios(history(tiny))
    assert least is not None
    assert (least.name, least.severity) == ("updates-too-small", "serious")
    assert 1e-10 < least.evidence["ratio"] < 1e-6
    large = train(
        stream(tiny_text), tmp_path, "large", **small("gru", steps=40, lr=3.0, eval_every=5, stop_on_divergence=False)
    ).run
    most = update_ratios(history(large))
    assert most is not None
    assert (most.name, most.severity) == ("updates-too-large", "note")
    assert most.evidence["ratio"] > 1
    assert most.evidence["step"] == 1
    usual = train(stream(tiny_text), tmp_path, "usual", **small("gru", steps=40, lr=3e-3, eval_every=5)).run
    assert update_ratios(history(usual)) is None


def test_a_loss_that_rises_again_is_found_unless_only_the_text_is_uneven(run: Run) -> None:
    up = np.concatenate([decay(4.3, 2.0, count=200), np.full(100, 2.8)])
    reached = found(rewritten(run, noisy(up), [2.4, 2.1, 2.9]))["loss-rose-again"]
    assert reached.evidence["rose_nats"] == pytest.approx(0.8, abs=0.05)
    assert 150 < reached.evidence["lowest_step"] <= 200
    assert reached.evidence["valid_rose_nats"] == pytest.approx(0.8)
    assert "loss-rose-again" not in found(rewritten(run, noisy(up), [2.4, 2.2, 2.1])), "held-out text fell on"


def test_what_counting_reaches_is_the_measure(run: Run) -> None:
    flat = noisy(decay(4.3, 3.5, 10.0))
    reached = found(rewritten(run, flat, [3.6, 3.5], tokens=100))
    assert reached["worse-than-unigram"].evidence == {
        "best_valid_nats": 3.5, "train_nats": pytest.approx(3.5, abs=0.02), "steps": 300, "unigram_nats": 3.2
    }  # fmt: skip
    between = found(rewritten(run, noisy(decay(4.3, 2.8)), [2.9], tokens=100))
    assert between["worse-than-bigram"].severity == "note"
    falling = found(rewritten(run, noisy(np.linspace(4.3, 3.3, 300)), [3.9, 3.4], tokens=100))
    assert "worse-than-unigram" not in falling, "it is on its way"
    assert falling["still-falling"].severity == "note"


def test_a_text_that_is_learned_by_heart_is_serious_only_where_held_out_text_suffers(run: Run) -> None:
    train_loss = noisy(decay(4.3, 0.4, 60.0))
    reached = found(rewritten(run, train_loss, [2.2, 2.0, 2.4, 2.9], steps_per_epoch=20))["memorising"]
    assert reached.severity == "serious"
    assert reached.evidence["best_valid_nats"] == 2.0
    assert reached.evidence["valid_rose_nats"] == pytest.approx(0.9)
    assert reached.evidence["best_step"] == 150
    assert reached.evidence["epochs"] == 15
    mild = found(rewritten(run, train_loss, [2.2, 2.0, 2.01], steps_per_epoch=20))["memorising"]
    assert mild.severity == "note"
    once = found(rewritten(run, train_loss, [2.2, 2.0, 2.9], steps_per_epoch=300))
    assert "memorising" not in once, "what was read once cannot have been learned by heart"
    assert once["valid-far-above-train"].severity == "note"


def test_a_small_text_read_fifty_times_is_really_learned_by_heart_and_a_run_that_is_told_to_may(
    tiny_text: str, tmp_path: Path
) -> None:
    settings = small("gru", width=64, epochs=40, lr=2e-2, batch_size=4, sequence_length=32, eval_every=20)
    one = with_baselines(train(stream(tiny_text, 1200), tmp_path, **settings).run, unigram=3.2, bigram=2.5)
    reached = found(one)["memorising"]
    assert reached.severity == "serious"
    assert reached.evidence["train_nats"] < 0.75 * reached.evidence["valid_nats"]
    declared = train(load_text(tiny_text[:1200], DataSettings(split="all")), tmp_path, "told", split="all", **settings)
    assert declared.run.config.data.memorises
    assert "memorising" not in found(declared.run)


def test_the_jump_at_a_border_and_its_period_are_measured(run: Run) -> None:
    phase = np.arange(300) % 50 / 50
    saw = noisy(2.0 + 0.6 * (1 - phase))
    reached = found(rewritten(run, saw, [2.2], steps_per_epoch=50))["sawtooth-at-borders"]
    assert (reached.evidence["period_steps"], reached.evidence["borders"]) == (50, 5)
    # Of 50 lines the first 8 are the front, less the very first: phases 1 to 7; the last 7 are the end: 43 to 49.
    assert reached.evidence["jump_nats"] == pytest.approx(0.6 * (46 - 4) / 50, abs=0.02)
    assert reached.severity == "note"
    assert "--batching windows" in reached.fix
    deep = found(rewritten(run, noisy(1.5 + 1.5 * (1 - phase)), [2.2], steps_per_epoch=50))["sawtooth-at-borders"]
    assert deep.severity == "serious"
    other = found(rewritten(run, saw, [2.2], steps_per_epoch=37))
    assert "sawtooth-at-borders" not in other, "the same curve with borders elsewhere"


def chain(signs: str, length: int, step: int) -> str:
    """A text in which each sign is followed by the one `step` further on, eight times of ten."""
    rng, place, written = np.random.default_rng(step), 0, []
    for _ in range(length):
        written.append(signs[place])
        place = (place + step if rng.random() < 0.8 else int(rng.integers(len(signs)))) % len(signs)
    return "".join(written)


def test_a_text_of_two_unlike_halves_read_as_one_stream_really_has_a_sawtooth(tmp_path: Path) -> None:
    halves = [chain("abcdefgh", 2400, step) for step in (1, 3)]
    settings = small("rnn", width=16, epochs=6, batch_size=1, sequence_length=16, lr=2e-3, eval_every=1000)
    text = "".join(halves)
    one = train(load_text(text, DataSettings(split="all")), tmp_path, "streams", split="all", **settings).run
    reached = found(one)["sawtooth-at-borders"]
    assert reached.evidence["period_steps"] == one.newest().progress()["batches"]["steps_per_epoch"]
    assert reached.evidence["jump_nats"] > 0.2
    corpus = load_text(text, DataSettings(split="all"))
    mended = train(corpus, tmp_path, "rows", split="all", **{**settings, "batch_size": 8}).run
    assert recorded(mended).steps_per_epoch == (4800 // 8 - 1) // 16, "enough to see a border in"
    assert "sawtooth-at-borders" not in found(mended), "the fix that the finding names: more rows at once"


def test_steps_that_are_always_clipped_are_a_note_and_under_sgd_serious(tiny_text: str, tmp_path: Path) -> None:
    under_adam = trained(stream(tiny_text), tmp_path, "adam", clip_norm=0.1)
    reached = found(rewritten(under_adam, noisy(decay(4.3, 2.0)), clip=0.1, norm=2.5))["always-clipped"]
    assert reached.severity == "note"
    assert reached.evidence["median_factor"] == pytest.approx(25)
    assert reached.evidence["share_of_steps"] == 1
    under_sgd = trained(stream(tiny_text), tmp_path, "sgd", clip_norm=0.1, optimizer="sgd", lr=0.1)
    slow = found(rewritten(under_sgd, noisy(FALLS), clip=0.1, norm=2.5))["always-clipped"]
    assert slow.severity == "serious", "the limit is what makes it slow"
    assert "always-clipped" not in found(rewritten(under_sgd, noisy(FALLS), clip=3.0, norm=2.5))


def test_a_rate_at_zero_counts_where_the_loss_was_still_falling(run: Run) -> None:
    stops = np.concatenate([np.linspace(4.3, 2.8, 120), np.full(180, 2.8)])
    rate = lambda step: 1e-2 if step <= 120 else 1e-6  # noqa: E731
    reached = found(rewritten(run, noisy(stops), [2.8], lr=rate))["learning-rate-at-zero"]
    assert reached.severity == "serious"
    assert reached.evidence["from_step"] == 121
    assert reached.evidence["share_of_run"] == pytest.approx(179 / 300)
    flat = np.concatenate([decay(4.3, 2.0, 10.0, 120), np.full(180, 2.0)])
    assert found(rewritten(run, noisy(flat), [2.1], lr=rate))["learning-rate-at-zero"].severity == "note"
    cosine = lambda step: 1e-2 * (1 + math.cos(math.pi * step / 300)) / 2  # noqa: E731
    assert "learning-rate-at-zero" not in found(rewritten(run, noisy(FALLS), [2.1], lr=cosine))
