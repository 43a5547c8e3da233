"""A transformer whose weights two workers share out: the steps of one process, checkpoints that any number reads."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from glassloom.errors import RunError, SettingError
from glassloom.runs import load_run
from groups import kept, made, text_of, together
from trainings import everything, prepared, small, stream, train

STEPS = 4
CASES: dict[str, dict[str, Any]] = {
    "adam, clipped": {"optimizer": "adam", "clip_norm": 0.1},
    "muon, an odd number of rows each": {"optimizer": "muon", "width": 6, "heads": 1, "weight_decay": 0.1},
    "adamw in float32, accumulated": {"optimizer": "adamw", "accumulate": 2, "precision": "float32", "layers": 2},
    "sgd with momentum, tied, memory, elements clipped": {
        "optimizer": "sgd", "momentum": 0.9, "tied": True, "memory": 1, "batching": "streams", "clip_value": 1e-3,
    },
    "rmsprop": {"optimizer": "rmsprop"},
    "adagrad": {"optimizer": "adagrad", "positions": "learned"},
}  # fmt: skip


def job_of(case: str, text: str) -> dict[str, Any]:
    settings = small("transformer", **{"precision": "float64", "steps": 100, "dropout": 0, **CASES[case]})
    return {"name": case, "updates": STEPS, "settings": settings, "text": text, "shard": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_text: str) -> Path:
    """What two workers left: of bare steps, and of whole trainings."""
    folder = tmp_path_factory.mktemp("shards")
    text = tiny_text[:3000]
    given = small("transformer", precision="float64", steps=8, eval_every=4, dropout=0, keep=0)
    training = {"text": text, "settings": given, "shard": True}
    train(stream(text), folder, "whole", **given)
    jobs = [job_of(case, text) for case in CASES]
    jobs += [
        {**training, "train": "shared"},
        {**training, "train": "half", "stop": 4},
        {**training, "train": "half", "resume": True, "shard": False, "stop": 6},
        {**training, "train": "half", "resume": True},
    ]
    together(jobs, folder)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_workers_with_half_of_the_weights_take_the_steps_of_one(case: str, folder: Path, tiny_text: str) -> None:
    job = job_of(case, tiny_text[:3000])
    tensors, numbers = made(prepared(text_of(job), **job["settings"]), STEPS)
    others, told = kept(folder, case)
    tolerance = {"float64": 1e-10, "float32": 1e-5}[job["settings"]["precision"]]
    torch.testing.assert_close(torch.tensor(told["figures"]), torch.tensor(numbers["figures"]), rtol=tolerance, atol=0)
    assert others.keys() == tensors.keys()
    for name, value in tensors.items():
        torch.testing.assert_close(others[name], value, rtol=0, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}")


def test_a_run_of_shards_is_read_by_one_process_like_any_other(folder: Path) -> None:
    whole, shared = (load_run(folder / name) for name in ("whole", "shared"))
    one, two = everything(whole), everything(shared)
    assert two["checkpoints"] == one["checkpoints"]
    assert two["weights"].keys() == one["weights"].keys()
    for part in ("weights", "best", "state"):
        for name, value in one[part].items():
            if not name.startswith("gen"):
                torch.testing.assert_close(two[part][name], value, rtol=0, atol=1e-10)
    assert shared.result()["best"]["nats_per_token"] == pytest.approx(
        whole.result()["best"]["nats_per_token"], abs=1e-9
    )  # type: ignore[index]


def test_each_worker_wrote_its_half_in_safetensors_and_nothing_else(folder: Path) -> None:
    newest = load_run(folder / "shared").newest()
    files = sorted(path.relative_to(newest.path).as_posix() for path in newest.path.rglob("*") if path.is_file())
    assert files == [
        "manifest.json", "model/shard-00001-model-00001-of-00001.safetensors",
        "model/shard-00002-model-00001-of-00001.safetensors", "optim.safetensors",
        "optim/shard-00001-model-00001-of-00001.safetensors", "optim/shard-00002-model-00001-of-00001.safetensors",
        "progress.json",
    ]  # fmt: skip
    counts = []
    for file in sorted((newest.path / "model").iterdir()):
        with safe_open(file, framework="pt") as shard:
            counts.append({name: shard.get_slice(name).get_shape()[0] for name in shard.keys()})  # noqa: SIM118
    rows = {name: value.shape[0] for name, value in newest.weights().items()}
    for name, count in rows.items():
        assert counts[0][name] == -(-count // 2)
        assert counts[1].get(name, 0) == count // 2
    listed = json.loads((newest.path / "manifest.json").read_text())["files"]
    assert sorted(listed) == [name for name in files if name != "manifest.json"]


def test_shards_go_on_whole_and_whole_ones_as_shards(folder: Path) -> None:
    """Stopped as shards at 4, gone on without at 6, and as shards again to the end: the same as never stopped."""
    one, two = (everything(load_run(folder / name)) for name in ("shared", "half"))
    for part in ("weights", "state"):
        for name, value in one[part].items():
            if not name.startswith("gen"):
                torch.testing.assert_close(
                    two[part][name], value, rtol=0, atol=1e-10, msg=lambda text, n=name: n + text
                )


@pytest.mark.parametrize("spoil", ["altered", "missing", "cut"])
def test_a_spoilt_shard_spoils_the_checkpoint(spoil: str, folder: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(folder / "shared", tmp_path / "shared")
    newest = load_run(tmp_path / "shared").newest()
    file = newest.path / "model" / "shard-00002-model-00001-of-00001.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    {
        "altered": lambda: file.write_bytes(content),
        "missing": file.unlink,
        "cut": lambda: file.write_bytes(content[:-1]),
    }[spoil]()
    fault = newest.fault()
    assert fault is not None
    assert file.name in fault
    with pytest.warns(match="is passed over"):
        assert load_run(tmp_path / "shared").newest().step < newest.step
    if spoil != "altered":
        run = load_run(tmp_path / "shared")
        with pytest.raises(RunError):
            newest.check_fits(run.config.model, run.tokenizer.size)


def test_what_cannot_be_shared_out_is_refused(tiny_text: str, tmp_path: Path) -> None:
    from glassloom.config import Config
    from glassloom.training.sharding import check_shard

    for given, said in (
        ({"model": "gru"}, "weights of a gru cannot be shared out"),
        ({"model": "transformer", "ema": 0.9}, "ema keeps whole weights"),
        ({"model": "transformer", "compile": "on"}, "compile on needs whole weights"),
    ):
        with pytest.raises(SettingError, match=said):
            check_shard(Config.from_flat(given))
    check_shard(Config.from_flat({"model": "transformer"}))
    from glassloom.training.session import train as start

    with pytest.raises(SettingError, match="One worker cannot share"):
        start(stream(tiny_text), small("transformer"), root=tmp_path, shard=True)
