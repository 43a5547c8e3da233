"""`glassloom run --on slurm`: scripts that sbatch understands, and whose bodies train, save in time, and go on."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from commands import Commands
from glassloom.runs import load_run

RECIPE = """
name = "tiny"
title = "Two tiny models"
source = "nobody"
about = "A recipe for tests."
[settings]
steps = {steps}
seed = 3
batch_size = 4
sequence_length = 8
width = 8
layers = 1
save_every = 20
sample_length = 5
eval_tokens = 50
[[part]]
name = "code"
title = "A small text"
corpus = "text.txt"
runs = [{{ id = "one", model = "gru" }}, {{ id = "two", model = "rnn" }}, {{ id = "three", model = "rnn" }}]
"""


@pytest.fixture
def recipe(tmp_path: Path, tiny_text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe in a folder of its own, with a path in its text that holds there only."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(tiny_text[:3000], encoding="utf-8")
    (tmp_path / "tiny.toml").write_text(RECIPE.format(steps=20000), encoding="utf-8")
    return tmp_path / "tiny.toml"


def directives(script: Path) -> dict[str, str]:
    """What sbatch reads: the lines before the first command."""
    found = {}
    for line in script.read_text(encoding="utf-8").splitlines():
        if line.startswith("#SBATCH "):
            name, _, value = line.removeprefix("#SBATCH --").partition("=")
            found[name] = value
        elif line and not line.startswith("#"):
            break
    return found


def stub(folder: Path, name: str, body: str) -> None:
    """A command of Slurm's, which writes down what it was given."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f'#!/bin/bash\necho "$@" >> {folder}/{name}.said\n{body}\n')
    (folder / name).chmod(0o755)


def test_the_scripts_say_what_each_run_gets_and_bash_can_read_them(recipe: Path, commands: Commands) -> None:
    flags = ("--cpus", "4", "--gpus", "1", "--jobs", "2", "--quick", "--epochs", "3", "--out", "out")
    submit = Path(commands.done("run", recipe, "--on", "slurm", *flags, "--json").json["submit"])
    assert submit == recipe.parent / "out" / "slurm" / "submit.sh"
    for script in submit.parent.glob("*.sh"):
        subprocess.run(["bash", "-n", script], check=True)
        assert os.access(script, os.X_OK)
    found = directives(submit.parent / "runs.sh")
    assert found["array"] == "0-2%2"
    assert (found["cpus-per-task"], found["gpus-per-task"], found["ntasks"]) == ("4", "1", "1")
    assert found["signal"] == "B:USR1@120"
    assert "requeue" in found
    runs = (submit.parent / "runs.sh").read_text()
    assert "runs=(one two three)" in runs
    assert "--quick --epochs 3 --stage train --only" in runs
    page = (submit.parent / "page.sh").read_text()
    assert "--quick --stage page" in page
    assert "--epochs" not in page, "the page shows what is there"
    assert "array" not in directives(submit.parent / "page.sh")


def test_submitting_hands_in_the_runs_and_then_the_page(
    recipe: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = commands.done("run", recipe, "--on", "slurm", "--out", "out", "--json").json["submit"]
    stub(recipe.parent / "bin", "sbatch", 'case "$*" in *--parsable*) echo "4711;cluster" ;; esac')
    monkeypatch.setenv("PATH", f"{recipe.parent / 'bin'}:{os.environ['PATH']}")
    subprocess.run(["bash", submit, "--time=1:00:00"], check=True, capture_output=True)
    scripts = recipe.parent / "out" / "slurm"
    assert (recipe.parent / "bin" / "sbatch.said").read_text().splitlines() == [
        f"--parsable --time=1:00:00 {scripts}/runs.sh",
        f"--dependency=afterany:4711 --time=1:00:00 {scripts}/page.sh",
    ]


def test_a_run_whose_time_is_up_saves_and_is_queued_again_and_goes_on(
    recipe: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.done("run", recipe, "--on", "slurm", "--out", "out")
    scripts, one = recipe.parent / "out" / "slurm", recipe.parent / "out" / "one"
    stub(recipe.parent / "bin", "scontrol", "true")
    task = {
        **os.environ, "PATH": f"{recipe.parent / 'bin'}:{os.environ['PATH']}", "SLURM_ARRAY_TASK_ID": "0",
        "SLURM_ARRAY_JOB_ID": "4711", "SLURM_JOB_ID": "4712", "SLURM_CPUS_PER_TASK": "1",
    }  # fmt: skip
    elsewhere = recipe.parent / "elsewhere"
    elsewhere.mkdir()
    log = elsewhere / "log"
    with (
        log.open("w") as said,
        subprocess.Popen(["bash", scripts / "runs.sh"], env=task, cwd=elsewhere, stdout=said, stderr=said) as job,
    ):
        end = time.monotonic() + 240
        while not (one / "checkpoints" / "step-40").is_dir():
            assert job.poll() is None, log.read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        job.send_signal(signal.SIGUSR1)
        assert job.wait(240) == 0, log.read_text()
    assert (recipe.parent / "bin" / "scontrol.said").read_text() == "requeue 4711_0\n"
    run = load_run(one)
    assert run.state() == "interrupted"
    saved = run.newest().step
    assert saved >= 40
    assert run.config.train.threads == 1
    assert not (recipe.parent / "out" / "report.html").exists(), "the page is another job's"

    [line] = re.findall(r"^(.*) --stage train --only", (scripts / "runs.sh").read_text(), re.MULTILINE)
    assert str(recipe) in line
    stopped = commands("run", recipe, "--out", "out", "--stage", "page")
    assert stopped.code == 0, stopped.err
    assert load_run(one).newest().step == saved, "the page trains nothing"
    page = (recipe.parent / "out" / "report.html").read_text(encoding="utf-8")
    assert "Two tiny models" in page


def test_a_task_of_the_array_trains_its_run_to_the_end_and_leaves_the_page(recipe: Path, commands: Commands) -> None:
    recipe.write_text(RECIPE.format(steps=20), encoding="utf-8")
    found = commands.done("run", recipe, "--out", "out", "--stage", "train", "--only", "two", "--json").json
    assert found == {"runs": [{"id": "two", "status": "finished", "reason": None}]}
    assert not (recipe.parent / "out" / "report.html").exists()
    commands.done("run", recipe, "--on", "slurm", "--out", "out")
    assert "runs=(one three)" in (recipe.parent / "out" / "slurm" / "runs.sh").read_text(), "what is done is left out"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--fit", "1h"], "drop --fit"),
        (["--replace"], "choose another --out"),
        (["--stage", "page"], "drop --stage"),
        (["--gpus", "0.5"], "Slurm shares none"),
        (["--cpus", "0"], "cpus cannot be 0"),
        (["--only", "four"], "has no run four"),
    ],
)
def test_what_slurm_cannot_do_is_refused(recipe: Path, commands: Commands, given: list[str], words: str) -> None:
    assert words in commands.refused("run", recipe, "--on", "slurm", "--out", "out", *given)
    assert not (recipe.parent / "out").exists()
