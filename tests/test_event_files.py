"""TensorBoard's event files, read back by TensorBoard itself: every number of the run, through kills and resumes."""

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from commands import TINY, Commands
from glassloom.data.corpus import Corpus
from glassloom.runs import Run
from glassloom.runs.documents import read_lines
from glassloom.training.event_files import EventFiles
from trainings import small, stop_at, stream, train

RECIPE = """
name = "tiny"
title = "One run"
source = "nobody"
about = "A recipe for tests."

[settings]
width = 8
layers = 1
steps = 4
batch_size = 4
sequence_length = 16
eval_every = 2
sample_every = 4
sample_length = 10
threads = 1

[[part]]
name = "one"
title = "One part"
corpus = "{text}"
runs = [{{ id = "gru", model = "gru" }}]
"""
EVERY = {"scalars": 0, "tensors": 0, "histograms": 0}


@pytest.fixture(scope="module")
def corpus(tiny_text: str) -> Corpus:
    return stream(tiny_text)


def opened(run: Run) -> EventAccumulator:
    found = EventAccumulator(str(run.path / "tensorboard"), size_guidance=EVERY)
    found.Reload()
    return found


def settings(**changes: Any) -> dict[str, Any]:
    return small(steps=12, eval_every=4, sample_every=6, save_every=4, tensorboard=True, **changes)


def assert_equal_to_the_run(run: Run) -> None:
    """Curves, norms, histograms and samples are those of the run folder, and nothing else is there."""
    seen, curves = opened(run), {}
    for record in run.metrics():
        numbers = {**record, **{f"beside/{name}": value for name, value in record.get("beside", {}).items()}}
        for name, value in numbers.items():
            if name not in ("event", "step", "beside", "protocol") and value is not None:
                curves.setdefault(f"{record['event']}/{name}", []).append((record["step"], np.float32(value)))
    for record in run.layers():
        for parameter, facts in record["parameters"].items():
            for name in ("gradient", "weight", "update"):
                curves.setdefault(f"{name}/{parameter}", []).append((record["step"], np.float32(facts[name])))
    assert set(seen.Tags()["scalars"]) == set(curves)
    for name, points in curves.items():
        assert [(event.step, np.float32(event.value)) for event in seen.Scalars(name)] == points, name
    texts = [(event.step, event.tensor_proto.string_val[0].decode()) for event in seen.Tensors("sample/text_summary")]
    assert [(step, shown_text(text)) for step, text in texts] == [
        (one["step"], one["prompt"] + one["text"]) for one in run.samples()
    ]
    parameters = run.layers()[0]["parameters"]
    assert set(seen.Tags()["histograms"]) == {
        f"{kind}/{name}" for kind in ("weights", "gradients") for name in parameters
    }
    for tag in seen.Tags()["histograms"]:
        kind, parameter = tag.split("/", 1)
        for event, record in zip(seen.Histograms(tag), run.layers(), strict=True):
            facts, told = record["parameters"][parameter][kind], event.histogram_value
            assert (event.step, told.num) == (record["step"], sum(facts["counts"]))
            assert list(told.bucket) == [0, *facts["counts"]]
            assert list(told.bucket_limit) == pytest.approx(
                np.linspace(-facts["most"] or -1, facts["most"] or 1, len(facts["counts"]) + 1).tolist()
            )


def shown_text(markdown: str) -> str:
    """What a block of code shows."""
    lines = markdown.removesuffix("\n").split("\n")
    assert all(line.startswith("    ") for line in lines)
    return "\n".join(line[4:] for line in lines)


def test_the_event_files_hold_what_the_run_holds(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path, **settings()).run
    assert len(run.metrics()) == 12 + 3
    assert len(run.samples()) == 2
    assert_equal_to_the_run(run)
    losses = opened(run).Scalars("train/train_nats")
    seconds = [record["seconds"] for record in run.metrics() if record["event"] == "train"]
    assert [event.wall_time - losses[0].wall_time for event in losses] == pytest.approx(
        [second - seconds[0] for second in seconds], abs=1e-3
    )


def test_nothing_is_written_where_it_was_not_asked_for(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path, **small(steps=3)).run
    assert not run.events.exists()


def test_a_resumed_training_goes_on_in_them_without_what_was_taken_back(corpus: Corpus, tmp_path: Path) -> None:
    watch, stop = stop_at(7)
    run = train(corpus, tmp_path, on_event=watch, stop=stop, **settings()).run
    assert_equal_to_the_run(run)
    (run.newest().path / "manifest.json").unlink()  # so that training goes back further than it came
    with pytest.warns(match="is passed over"):
        train(corpus, tmp_path, resume=True, **settings())
    assert {"event": "resumed", "step": 4} in read_lines(run.path / "metrics.jsonl")
    assert [record["step"] for record in run.metrics() if record["event"] == "train"] == list(range(1, 13))
    assert_equal_to_the_run(run)


def test_asked_for_later_they_hold_the_beginning_too(corpus: Corpus, tmp_path: Path) -> None:
    train(corpus, tmp_path, **{**settings(), "tensorboard": False, "steps": 6})
    run = train(corpus, tmp_path, resume=True, **settings()).run
    assert opened(run).Scalars("train/lr")[0].step == 1
    assert_equal_to_the_run(run)


def test_what_a_kill_kept_from_being_written_is_there_after_the_resume(corpus: Corpus, tmp_path: Path) -> None:
    watch, stop = stop_at(5)
    run = train(corpus, tmp_path, on_event=watch, stop=stop, **settings()).run
    for file in run.events.iterdir():
        file.write_bytes(file.read_bytes()[:-40])  # torn
    train(corpus, tmp_path, resume=True, **settings())
    assert_equal_to_the_run(run)


def test_a_loss_that_is_not_finite_leaves_a_gap_and_no_fault(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path, **settings()).run
    run.log({"event": "evaluation", "step": 13, "seconds": 1.0, "valid_nats": 3.0, "valid_perplexity": None})
    EventFiles(run).close()
    seen = opened(run)
    assert seen.Scalars("evaluation/valid_nats")[-1].step == 13
    assert seen.Scalars("evaluation/valid_perplexity")[-1].step == 12
    assert all(math.isfinite(event.value) for event in seen.Scalars("evaluation/valid_nats"))


def test_compare_and_run_write_them_for_every_run(commands: Commands, tmp_path: Path, tiny_text: str) -> None:
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(RECIPE.format(text=tmp_path / "text.txt"), encoding="utf-8")
    compared, carried_out = tmp_path / "compared", tmp_path / "carried out"
    commands.done("compare", tmp_path / "text.txt", "--models", "rnn,gru", "--tensorboard", "--out", compared, *TINY)
    commands.done("run", recipe, "--tensorboard", "--out", carried_out)
    for out, models in ((compared, ["gru", "rnn"]), (carried_out, ["gru"])):
        runs = [Run(path.parent) for path in sorted(out.rglob("config.json"))]
        assert [run.config.architecture for run in runs] == models
        for run in runs:
            assert_equal_to_the_run(run)


def test_the_writer_needs_no_tensorflow(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom torch.utils.tensorboard import SummaryWriter\n"
        "SummaryWriter(sys.argv[1]).close()\nassert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_the_extra_it_is_said_before_training_begins(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Exception, match=r"glassloom\[tensorboard\]"):
        train(corpus, tmp_path, **settings())
    assert not list(tmp_path.iterdir())
