"""Two workers with half of every batch each take the steps of one process: losses, norms, weights, carried state."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from glassloom.training.workers import Workers
from groups import kept, made, text_of, together
from trainings import prepared, small

TOLERANCE = {"float64": 1e-10, "float32": 1e-5}
STEPS = 4
STREAMS: dict[str, dict[str, Any]] = {
    "streams, gru": {"model": "gru", "batching": "streams"},
    "streams, lstm in float32, clipped": {
        "model": "lstm", "batching": "streams", "precision": "float32", "clip_norm": 0.05, "layers": 2,
    },
    "streams, rnn, each element clipped, accumulated": {
        "model": "rnn", "batching": "streams", "clip_value": 1e-3, "accumulate": 2, "optimizer": "sgd", "lr": 0.5,
    },
    "streams, gru with an initial state that is learned": {
        "model": "gru", "batching": "streams", "initial_state": "trainable", "ema": 0.5,
    },
    "streams with a transformer's memory, muon": {
        "model": "transformer", "batching": "streams", "memory": 1, "optimizer": "muon", "clip_norm": 0.1,
    },
    "windows, transformer, accumulated and clipped": {
        "model": "transformer", "batching": "windows", "accumulate": 2, "clip_norm": 0.1, "optimizer": "adamw",
    },
    "windows, transformer in float32, tied": {
        "model": "transformer", "batching": "windows", "precision": "float32", "tied": True,
    },
    "streams of random lengths, lstm, adagrad": {
        "model": "lstm", "batching": "streams", "random_lengths": True, "optimizer": "adagrad", "sequence_length": 20,
    },
}  # fmt: skip
PADDED: dict[str, dict[str, Any]] = {
    "padded, gru": {"model": "gru", "max_tokens": 80},
    "padded, lstm, rmsprop, accumulated and clipped": {
        "model": "lstm", "max_tokens": 80, "accumulate": 2, "clip_norm": 0.1, "optimizer": "rmsprop",
    },
    "padded, transformer in float32": {"model": "transformer", "max_tokens": 80, "precision": "float32"},
    "padded, a single row a batch": {"model": "gru", "batch_size": 1, "max_tokens": 80},
}  # fmt: skip
CASES = STREAMS | PADDED


def job_of(case: str, text: str) -> dict[str, Any]:
    settings = small(**{"precision": "float64", "steps": 100, "dropout": 0, **CASES[case]})
    if case in PADDED and "batch_size" not in CASES[case]:
        del settings["batch_size"]
    of = {"samples": 60} if case in PADDED else {"text": text}
    return {"name": case, "updates": STEPS, "settings": settings, **of}


@pytest.fixture(scope="module")
def jobs(tiny_text: str) -> dict[str, dict[str, Any]]:
    """Every case as a job."""
    return {case: job_of(case, tiny_text[:3000]) for case in CASES}


@pytest.fixture(scope="module")
def left(jobs: dict[str, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What two workers left of each case; they are started once."""
    folder = tmp_path_factory.mktemp("left")
    together(list(jobs.values()), folder)
    return lambda case: kept(folder, case)


@pytest.mark.parametrize("case", CASES)
def test_two_workers_take_the_steps_of_one(case: str, jobs: dict[str, dict[str, Any]], left: Any) -> None:
    job = jobs[case]
    tensors, numbers = made(prepared(text_of(job), **job["settings"]), STEPS)
    others, told = left(case)
    tolerance = TOLERANCE[job["settings"]["precision"]]
    assert told["tokens"] == numbers["tokens"]
    torch.testing.assert_close(torch.tensor(told["figures"]), torch.tensor(numbers["figures"]), rtol=tolerance, atol=0)
    assert others.keys() == tensors.keys()
    for name, value in tensors.items():
        torch.testing.assert_close(others[name], value, rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")
    assert any(name.startswith("carried/") for name in others) == (case in STREAMS and "windows" not in case)


def test_the_cases_would_tell_a_wrong_weight_of_a_workers_rows(jobs: dict[str, dict[str, Any]], left: Any) -> None:
    """The halves of a batch have unlike losses: what one worker would do with its own rows alone is far away."""
    for case in ("streams, gru", "windows, transformer, accumulated and clipped", "padded, gru"):
        job = jobs[case]
        state = prepared(text_of(job), **job["settings"])
        batch = Workers(0, 2).own(next(state.batches))
        nats, _, _ = state.update(batch, 1.0)
        assert abs(nats - left(case)[1]["figures"][0][0]) > 1e-6


def test_every_row_has_one_worker_and_shares_are_as_equal_as_can_be() -> None:
    for rows in range(1, 20):
        for size in range(1, 8):
            ends = [Workers(rank, size).rows(rows) for rank in range(size)]
            assert [row for begin, end in ends for row in range(begin, end)] == list(range(rows))
            counts = [end - begin for begin, end in ends]
            assert max(counts) - min(counts) <= 1
