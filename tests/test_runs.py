"""Run folders: whole or not there, whatever happens to the process, the disk or the files."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from glassloom.errors import Notice, RunError, StorageError
from glassloom.generation import DecodingSettings, generate
from glassloom.runs import Run, check_name, list_runs, load_run
from glassloom.runs.documents import read_lines
from glassloom.runs.lock import is_locked
from glassloom.storage import sha256
from kills import assert_kills_lose_nothing
from trainings import command, differences, everything, language, small, stop_at, stream, train

# -- killed, at any moment


def test_a_training_killed_again_and_again_always_leaves_a_run_that_opens_and_ends_like_one_never_killed(
    tiny_text: str, tmp_path: Path
) -> None:
    settings = small("gru", steps=400, save_every=2, eval_every=20, dropout=0.2, ema=0.9)
    assert_kills_lose_nothing(tiny_text[:3000], settings, tmp_path, kills=12)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_finish_the_step_save_and_exit_with_130_and_143(
    number: signal.Signals, tiny_text: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text(tiny_text[:3000], encoding="utf-8")
    arguments = ["--model", "gru", "--width", "8", "--layers", "1", "--batch-size", "2", "--threads", "1"]
    process = command(
        "train", "a.txt", *arguments, "--name", "run", "--steps", "1000000", "--eval-every", "1000000",
        "--save-every", "1000000", "--json", folder=tmp_path,
    )  # fmt: skip
    metrics = tmp_path / "runs" / "run" / "metrics.jsonl"
    wait_until(lambda: len(read_lines(metrics)) > 0 or process.poll() is not None or is_training(tmp_path))
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    steps = json.loads(out.splitlines()[-1])["steps"]
    run = load_run(tmp_path / "runs" / "run")
    assert run.newest().step == steps > 0
    assert run.state() == "interrupted"
    assert f"saved at step {steps:,}" in err


def is_training(folder: Path) -> bool:
    """Whether the run's writer has taken its lock."""
    return (folder / "runs" / "run" / ".holder.json").exists()


def wait_until(happened: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


def test_what_killed_writers_left_half_made_goes_with_the_next_one(tiny_text: str, tmp_path: Path) -> None:
    run = train(stream(tiny_text), tmp_path, **small(steps=2)).run
    left = [run.path / "checkpoints" / ".tmp-step-9-01234567", run.path / ".tmp-corpus.json-01234567"]
    left[0].mkdir()
    (left[0] / "model.safetensors").write_bytes(b"half")
    left[1].write_bytes(b"half")
    os.utime(left[1], (0, 0))
    assert Run(run.path).newest().step == 2
    with run.writing():
        assert not any(path.exists() for path in left)
    (tmp_path / ".tmp-other-01234567").mkdir()
    (tmp_path / ".tmp-new-01234567").mkdir()
    train(stream(tiny_text), tmp_path, "new", **small(steps=1))
    assert [path.name for path in tmp_path.glob(".tmp-*")] == [".tmp-other-01234567"]  # somebody's, perhaps


# -- damaged checkpoints


@pytest.fixture
def run(tiny_text: str, tmp_path: Path) -> Run:
    """A finished run with checkpoints of the steps 2, 4 and 6; 6 is the best."""
    return train(stream(tiny_text), tmp_path, "run", **small(steps=6, eval_every=2, keep=0)).run


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("model.safetensors", truncate, "model.safetensors has .* bytes instead of"),
        ("model.safetensors", alter, "model.safetensors was altered"),
        ("optim.safetensors", alter, "optim.safetensors was altered"),
        ("progress.json", alter, "progress.json was altered"),
        ("manifest.json", Path.unlink, "it is incomplete"),
        ("manifest.json", truncate, "it is incomplete"),
        ("model.safetensors", Path.unlink, "it is incomplete"),
        ("optim.safetensors", Path.unlink, "it is incomplete"),
    ],
)
def test_a_damaged_checkpoint_is_passed_over_with_a_notice(
    file: str, damage: Callable[[Path], None], said: str, run: Run
) -> None:
    before = {checkpoint.step: checkpoint.weights() for checkpoint in run.checkpoints()}
    assert run.newest().step == run.best().step == 6
    damage(run.path / "checkpoints" / "step-6" / file)
    with pytest.warns(Notice, match=f"step-6 is passed over: {said}"):
        assert run.newest().step == 4
    with pytest.warns(Notice, match="step-6"):
        model = run.model()
    assert torch.equal(model.output_weight, before[4]["output.weight"])


def test_with_no_whole_checkpoint_the_run_says_so(run: Run) -> None:
    for checkpoint in run.checkpoints():
        alter(checkpoint.path / "model.safetensors")
    with pytest.raises(RunError, match="holds no whole checkpoint"), pytest.warns(Notice):
        run.model()


def test_training_goes_on_from_the_checkpoint_before_a_damaged_one_which_is_then_written_anew(
    tiny_text: str, run: Run
) -> None:
    whole = everything(run)
    truncate(run.path / "checkpoints" / "step-6" / "model.safetensors")
    run.write_result(None)
    with pytest.warns(Notice, match="step-6"):
        train(stream(tiny_text), run.path.parent, "run", resume=True)
    assert differences(whole, everything(run)) == []


def test_the_best_and_the_two_newest_checkpoints_are_kept(tiny_text: str, tmp_path: Path) -> None:
    settings = small("rnn", optimizer="sgd", lr=1e-9, eval_every=1, steps=8, seed=3)
    run = train(stream(tiny_text), tmp_path, **settings).run
    losses = {line["step"]: line["valid_nats"] for line in run.metrics() if line["event"] == "evaluation"}
    best = min(losses, key=losses.__getitem__)
    assert best < 7, "the best must be an older one here"
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [8, 7, best]
    assert run.best().step == best


def test_shapes_that_differ_from_the_settings_are_refused_from_the_header_alone(run: Run) -> None:
    folder = run.path / "checkpoints" / "step-6"
    weights = load_file(folder / "model.safetensors")
    weights["output.weight"] = weights["output.weight"][:, :5].contiguous()
    save_file(weights, folder / "model.safetensors")
    manifest = json.loads((folder / "manifest.json").read_text())
    content = (folder / "model.safetensors").read_bytes()
    manifest["files"]["model.safetensors"] = {"bytes": len(content), "sha256": sha256(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    checkpoint = run.best()
    shapes = checkpoint.shapes()
    assert shapes == {name: tuple(value.shape) for name, value in weights.items()}
    with pytest.raises(RunError, match=r"output.weight is \(\d+, 5\). Expected: shape \(\d+, 8\)"):
        run.model()
    # only the header is read: the rest of the file may be any bytes
    size = int.from_bytes(content[:8], "little")
    (folder / "model.safetensors").write_bytes(content[: 8 + size] + bytes(len(content) - 8 - size))
    with pytest.raises(RunError, match=r"output\.weight"):
        checkpoint.check_fits(run.config.model, run.tokenizer.size)


@pytest.mark.parametrize("width", [16, 10**9, 10**12])
def test_settings_with_another_width_than_the_weights_are_refused_before_memory_is_taken(width: int, run: Run) -> None:
    config = json.loads((run.path / "config.json").read_text())
    config["model"]["width"] = width
    (run.path / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match=r"do not fit the settings|beyond any memory"):
        load_run(run.path).model()


def test_a_checkpoint_with_less_in_it_than_training_needs_is_refused_in_one_sentence(tiny_text: str, run: Run) -> None:
    folder = run.path / "checkpoints" / "step-6"
    content = b"{}"
    (folder / "progress.json").write_bytes(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["progress.json"] = {"bytes": len(content), "sha256": sha256(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run.write_result(None)
    with pytest.raises(RunError, match="does not fit the run's settings"):
        train(stream(tiny_text), run.path.parent, "run", resume=True)


def test_a_line_torn_by_a_kill_spoils_no_other(run: Run) -> None:
    before = run.metrics()
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b'{"event": "train", "st')
    run.log({"event": "train", "step": 6})
    assert run.metrics() == [*before, {"event": "train", "step": 6}]


# -- one writer


def test_a_second_writer_is_told_who_holds_the_run_and_a_killed_one_lets_go(run: Run, tiny_text: str) -> None:
    script = (
        "import sys; from pathlib import Path; from glassloom.runs.lock import writing;"
        "held = writing(Path(sys.argv[1])); held.__enter__(); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(run.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        assert run.state() == "running"
        for _ in range(2):
            with pytest.raises(RunError, match=f"in use by process {holder.pid} on"):
                train(stream(tiny_text), run.path.parent, "run", resume=True)
        with pytest.raises(RunError, match=f"in use by process {holder.pid} on"):
            train(stream(tiny_text), run.path.parent, "run", replace=True, **small(steps=1))
    finally:
        holder.kill()
        holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert not is_locked(run.path)
    assert run.state() == "finished"
    assert train(stream(tiny_text), run.path.parent, "run", resume=True).steps == 6


def test_a_run_is_replaced_as_a_whole_and_only_when_asked_for(tiny_text: str, run: Run) -> None:
    root = run.path.parent
    with pytest.raises(RunError, match="Run run exists already"):
        train(stream(tiny_text), root, "run", **small(steps=1))
    assert run.newest().step == 6
    watch, stop = stop_at(0)  # interrupted before its first step
    again = train(stream(tiny_text), root, "run", replace=True, stop=stop, on_event=watch, **small("lstm", steps=9))
    assert (again.status, again.steps) == ("interrupted", 0)
    replaced = load_run(root / "run")
    assert (replaced.config.architecture, [c.step for c in replaced.checkpoints()]) == ("lstm", [0])
    assert [path.name for path in root.iterdir()] == ["run"]
    assert generate(replaced.model(), replaced.tokenizer, "the", DecodingSettings(length=3))[0].ids
    assert train(stream(tiny_text), root, "run", resume=True).steps == 9


@pytest.mark.parametrize("name", ["../a", "a/b", ".hidden", "", "-x", "a" * 65, "a\n", "a b", "ä"])
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(RunError, match="cannot be a run's name"):
        check_name(name)


def test_an_unknown_run_is_answered_with_the_nearest_name(run: Run) -> None:
    with pytest.raises(RunError, match=r"did you mean run\?"):
        load_run("rum", run.path.parent)
    with pytest.raises(RunError, match="is a folder but no run"):
        load_run(run.path / "checkpoints")
    assert [found.name for found in list_runs(run.path.parent)] == ["run"]


# -- the disk


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes: to the program that is a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_costs_no_earlier_checkpoint(tiny_text: str, tmp_path: Path) -> None:
    corpus, settings = stream(tiny_text), small("gru", width=32, steps=6, save_every=1)
    watch, stop = stop_at(2)
    run = train(corpus, tmp_path, on_event=watch, stop=stop, **settings).run
    optimizer_bytes = (run.newest().path / "optim.safetensors").stat().st_size
    assert (run.newest().path / "model.safetensors").stat().st_size < optimizer_bytes
    with largest_file(optimizer_bytes - 1), pytest.raises(StorageError, match="No room left on the disk"):
        train(corpus, tmp_path, resume=True)
    assert [checkpoint.step for checkpoint in run.checkpoints()] == [2, 1]
    assert not list((run.path / "checkpoints").glob(".tmp-*"))
    assert run.state() == "interrupted"
    assert generate(run.model(), run.tokenizer, "the", DecodingSettings(length=3))[0].ids
    whole = train(corpus, tmp_path, "whole", **settings).run
    assert differences(everything(whole), everything(train(corpus, tmp_path, resume=True).run)) == []


def test_a_full_disk_is_one_sentence_and_exit_code_2_and_leaves_no_half_made_run(
    tiny_text: str, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text(tiny_text[:3000], encoding="utf-8")
    process = command(
        "train", "a.txt", "--model", "gru", "--width", "64", "--steps", "3", "--threads", "1", "--json",
        folder=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )  # fmt: skip
    out, err = process.communicate(timeout=100)
    assert process.returncode == 2, err
    error = json.loads(out.splitlines()[-1])["error"]
    assert error["what"].startswith("No room left on the disk while writing")
    assert "Traceback" not in err
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_lost(tiny_text: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("I am no folder.")
    for root in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere")):
        with pytest.raises(StorageError, match="cannot be written"):
            train(stream(tiny_text), root, **small(steps=1))


def test_a_run_folder_deleted_while_training_ends_it_and_is_not_made_again(tiny_text: str, tmp_path: Path) -> None:
    def delete(event: object) -> None:
        if getattr(event, "step", 0) == 3:
            (tmp_path / "run").rename(tmp_path / "gone")

    with pytest.raises(StorageError, match="cannot be written: No such file or directory"):
        train(stream(tiny_text), tmp_path, on_event=delete, **small(steps=9))
    assert not (tmp_path / "run").exists()
    assert load_run(tmp_path / "gone").model()


def test_a_run_on_sequences_opens_and_writes_too(tmp_path: Path) -> None:
    run = train(language("brackets"), tmp_path, **small("lstm", steps=2)).run
    assert generate(run.model(), run.tokenizer, "(", DecodingSettings(length=4))[0].ids
