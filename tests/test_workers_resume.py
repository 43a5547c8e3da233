"""Trainings of two workers that stop and go on, with as many workers or another number."""

from pathlib import Path
from typing import Any

import pytest
import torch

from glassloom.errors import Notice
from glassloom.runs import load_run
from groups import text_of, together
from trainings import differences, everything, small, stop_at, train

KINDS: dict[str, dict[str, Any]] = {
    "streams": {"model": "gru", "batching": "streams", "ema": 0.8},
    "windows": {"model": "transformer", "batching": "windows", "accumulate": 2},
    "padded": {"model": "lstm", "max_tokens": 80},
}


def job_of(kind: str, text: str, **more: Any) -> dict[str, Any]:
    settings = small(**{"precision": "float64", "steps": 12, "eval_every": 3, "dropout": 0, **KINDS[kind]})
    if kind == "padded":
        del settings["batch_size"]
    of = {"samples": 60} if kind == "padded" else {"text": text}
    return {"train": kind, "settings": settings, **of, **more}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """Runs that two workers began, one process went on with, and two workers ended; and what each said."""
    folder, text = tmp_path_factory.mktemp("resumed"), tiny_text[:3000]
    drawn = job_of("streams", text)
    drawn["settings"] |= {"dropout": 0.3}
    begun = [job_of(kind, text, stop=4) for kind in KINDS]
    begun[1]["asked"] = 1  # the second worker alone is asked to stop
    whole, part = {**drawn, "train": "drawn-whole"}, {**drawn, "train": "drawn"}
    together([*begun, whole, {**part, "stop": 5}], folder)
    for kind in KINDS:
        job = job_of(kind, text)
        train(text_of(job), folder, f"{kind}-alone", **job["settings"])
        watch, stop = stop_at(8)
        assert load_run(folder / kind).newest().step == 5  # asked after step 4, all stop after the next one
        with pytest.warns(Notice, match="saved by 2 workers and goes on with 1: batches"):
            train(text_of(job), folder, kind, resume=True, on_event=watch, stop=stop, **job["settings"])
    together([*(job_of(kind, text, resume=True) for kind in KINDS), {**part, "resume": True}], folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_two_workers_one_process_and_two_workers_make_the_steps_of_one(kind: str, folder: Path) -> None:
    one, other = (everything(load_run(folder / name)) for name in (f"{kind}-alone", kind))
    assert other["checkpoints"] == one["checkpoints"]
    assert other["progress"]["batches"] == one["progress"]["batches"]
    assert other["progress"]["workers"] == 2
    losses = [[line["train_nats"] for line in run["metrics"] if line["event"] == "train"] for run in (one, other)]
    assert losses[1] == pytest.approx(losses[0], abs=1e-10)
    assert len(losses[1]) == 12
    for part in ("weights", "state", "best"):
        for name, value in one[part].items():
            torch.testing.assert_close(other[part][name], value, rtol=0, atol=1e-10, msg=name)


def test_with_dropout_as_many_workers_go_on_to_the_last_bit(folder: Path) -> None:
    whole, part = (everything(load_run(folder / name)) for name in ("drawn-whole", "drawn"))
    assert differences(whole, part) == []
    generators = [value for name, value in part["state"].items() if name.startswith("gen")]
    assert len(generators) == 2
    assert not torch.equal(*generators)
