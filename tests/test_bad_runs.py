"""What damaged runs, full disks and unusable prompts get: one clear sentence, exit code 2, and nothing lost."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import TINY, Commands, Outcome


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path) -> Path:
    """A folder of one's own, with the text of the trained run in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(trained.parent / "text.txt", "text.txt")
    return tmp_path


@pytest.fixture
def spoilt(trained: Path) -> Path:
    """A copy of the trained run, in `runs/mine`."""
    return Path(shutil.copytree(trained, "runs/mine"))


def everything(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, but for locks."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


def written(path: str, content: bytes | str) -> str:
    """A file with this content, and its path."""
    Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# -- runs


def test_an_unknown_run_is_answered_with_the_nearest_one(commands: Commands, spoilt: Path) -> None:
    for command in (
        ["evaluate", "mien"],
        ["generate", "mien"],
        ["report", "mien"],
        ["train", "text.txt", "--from", "mien"],
    ):
        said = commands.refused(*command)
        assert said.startswith("There is no run mien")
        assert said.endswith("did you mean mine?")


def test_a_name_that_is_taken_is_refused_and_the_run_stays_as_it_is(commands: Commands, spoilt: Path) -> None:
    before = everything(spoilt)
    said = commands.refused("train", "text.txt", "--name", "mine", *TINY)
    assert "Run mine exists already in runs" in said
    assert "--resume" in said
    assert everything(spoilt) == before


@pytest.fixture
def in_use(spoilt: Path) -> Iterator[Path]:
    """The run, held by another process."""
    hold = "with load_run(sys.argv[1]).writing(): print('held', flush=True); input()"
    command = [sys.executable, "-c", f"import sys; from glassloom.runs import load_run\n{hold}", str(spoilt)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        yield spoilt
        other.communicate("\n")


def test_a_run_in_use_by_another_process_is_refused_and_the_holder_is_named(commands: Commands, in_use: Path) -> None:
    same = ("train", "text.txt", "--name", "mine", *TINY)
    for more in ("--resume", "--replace"):
        said = commands.refused(*same, more)
        assert "Run mine is in use by process" in said
    assert commands.done("runs", "--json").json["runs"][0]["state"] == "running"


def newest(run: Path) -> Path:
    """The newest checkpoint's folder."""
    return max((run / "checkpoints").glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))


@pytest.mark.parametrize("harm", ["truncated", "altered", "missing"])
def test_a_damaged_checkpoint_is_stepped_over_with_a_notice(commands: Commands, spoilt: Path, harm: str) -> None:
    weights = newest(spoilt) / "model.safetensors"
    content = weights.read_bytes()
    if harm == "truncated":
        weights.write_bytes(content[:-9])
    elif harm == "altered":
        weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        weights.unlink()
    outcome = commands.done("generate", "mine", "--length", "5")
    assert len(outcome.out.strip("\n")) <= 5
    assert len(outcome.notices) == 1
    assert outcome.notices[0].startswith(f"notice: Checkpoint {newest(spoilt).name} is passed over:")
    resumed = commands.done("train", "text.txt", "--name", "mine", "--resume", "--steps", "6", "--json")
    assert [line for line in resumed.notices if "is passed over" in line]
    assert resumed.json["steps"] == 6


def test_a_run_without_a_whole_checkpoint_is_refused(commands: Commands, spoilt: Path) -> None:
    for weights in spoilt.glob("checkpoints/*/model.safetensors"):
        weights.write_bytes(b"")
    outcome = commands("generate", "mine")
    assert outcome.code == 2
    assert "holds no whole checkpoint" in outcome.lines[-1]


def changed(run: Path, change: Any) -> None:
    """Change the saved settings."""
    path = run / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(settings)), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {**s, "train": {**s["train"], "optimiser": "adam"}}, "There is no setting optimiser"),
        (lambda s: {**s, "model": {**s["model"], "layer": 2}}, "did you mean layers?"),
        (lambda s: {**s, "model": {**s["model"], "width": "8"}}, 'width cannot be "8". Expected: a whole number'),
        (lambda s: {**s, "model": {**s["model"], "name": "gruu"}}, "did you mean gru?"),
        (lambda s: {**s, "model": {**s["model"], "width": 9}}, "do not fit"),
        (lambda s: {**s, "model": []}, "The saved settings are not those of a run"),
        (lambda s: {**s, "data": 3}, "The saved settings are damaged"),
        (lambda s: [s], "The saved settings are not those of a run"),
        (lambda s: {"model": s["model"]}, "The saved settings are not those of a run"),
    ],
    ids=["unknown key", "misspelt key", "text for a number", "unknown model", "another width", "model a list",
         "data a number", "a list", "sections missing"],
)  # fmt: skip
def test_a_run_with_unusable_settings_is_refused(commands: Commands, spoilt: Path, change: Any, said: str) -> None:
    changed(spoilt, change)
    before = everything(spoilt)
    outcome = commands("generate", "mine")
    assert outcome.code == 2
    assert len(outcome.lines) == 1
    assert said.lower() in outcome.lines[0].lower()
    assert commands("evaluate", "mine").code == 2
    assert commands("report", "mine").code == 2
    assert commands.done("runs").lines == []
    assert everything(spoilt) == before


def test_settings_that_are_no_json_are_refused_by_file(commands: Commands, spoilt: Path) -> None:
    (spoilt / "config.json").write_text('{"data": {', encoding="utf-8")
    assert "config.json cannot be read" in commands.refused("generate", "mine")


def test_settings_from_before_a_setting_existed_take_its_default_with_a_notice(
    commands: Commands, spoilt: Path
) -> None:
    changed(spoilt, lambda s: {**s, "train": {k: v for k, v in s["train"].items() if k != "memory"}})
    assert commands.done("generate", "mine", "--length", "5").notices == [
        "notice: The saved settings lack memory; the default was taken."
    ]


def test_a_folder_that_is_no_run_is_refused(commands: Commands) -> None:
    Path("runs/nothing").mkdir(parents=True)
    assert "is a folder but no run" in commands.refused("generate", "nothing")


def test_metrics_torn_in_the_middle_are_read_as_far_as_they_are_whole(commands: Commands, spoilt: Path) -> None:
    lines = (spoilt / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    torn = [lines[0], lines[1][:20], *lines[2:], lines[-1][:9]]
    (spoilt / "metrics.jsonl").write_text("\n".join(torn), encoding="utf-8")
    assert commands.done("report", "mine").out.strip().endswith("report.html")


# -- the machine


def test_a_folder_that_cannot_be_written_is_refused(commands: Commands) -> None:
    written("file", "")
    said = commands.refused("train", "text.txt", "--runs", "file/runs", *TINY)
    assert "file/runs cannot be written: Not a directory" in said
    assert "--runs" in said


def test_a_cache_that_cannot_be_written_is_refused(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    written("file", "")
    monkeypatch.setenv("GLASSLOOM_CACHE", "file/cache")
    assert "choose another with GLASSLOOM_CACHE" in commands.refused("train", "text.txt", *TINY)


@pytest.fixture
def small_disk() -> Iterator[Any]:
    """Called with a number of bytes: no file can become larger, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_ends_training_with_a_sentence_and_leaves_nothing_half_written(
    commands: Commands, small_disk: Any
) -> None:
    commands.done("train", "text.txt", "--name", "first", *TINY)
    before = everything(Path("runs"))
    small_disk(5_000)
    outcome = commands("train", "text.txt", "--name", "second", *TINY)
    assert outcome.code == 2
    assert outcome.lines[-1].startswith("error: No room left on the disk while writing runs")
    assert not list(Path("runs").rglob(".tmp-*"))
    assert everything(Path("runs")) == before


def test_a_full_disk_in_the_middle_of_training_keeps_the_run_and_its_checkpoint(
    commands: Commands, spoilt: Path, small_disk: Any
) -> None:
    commands.done("generate", "mine", "--length", "1")
    small_disk(5_000)
    outcome = commands("train", "text.txt", "--name", "mine", "--resume", "--steps", "8")
    assert outcome.code == 2
    assert "No room left on the disk" in outcome.lines[-1]
    small_disk(resource.RLIM_INFINITY)
    assert commands.done("train", "text.txt", "--name", "mine", "--resume", "--steps", "8", "--json").json["steps"] == 8


def test_a_cache_on_a_full_disk_is_refused(commands: Commands, small_disk: Any) -> None:
    written("new.txt", "Something that no cache has seen.\n" * 900)
    small_disk(5_000)
    said = commands("train", "new.txt", *TINY)
    assert said.code == 2
    assert "No room left on the disk" in said.lines[-1]


def test_a_device_that_is_not_there_is_refused(commands: Commands) -> None:
    import torch

    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    assert f"This machine has no {absent} that torch can use" in commands.refused(
        "train", "text.txt", *TINY, "--device", absent
    )


# -- prompts


def test_a_prompt_with_unknown_symbols_names_them_and_offers_to_skip_them(commands: Commands, spoilt: Path) -> None:
    said = commands.refused("generate", "mine", "--prompt", "Beaü日")
    assert "'ü' U+00FC at character 3, '日' U+65E5 at character 4" in said
    assert "--skip-unknown" in said
    outcome = commands.done("generate", "mine", "--prompt", "Beaü日", "--skip-unknown", "--length", "3")
    assert len(outcome.notices) == 1
    assert "'ü' U+00FC" in outcome.notices[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--top-p", "0"], "top_p cannot be 0. Expected: a number that is above 0 and at most 1."),
        (["--temperature", "0"], "temperature cannot be 0. Expected: a number that is above 0."),
        (["--count", "0"], "count cannot be 0."),
        (["--length", "-5"], "length cannot be -5."),
        (["--stop", ""], "stop cannot be ''."),
        (["--step", "99"], "Run mine has no checkpoint of step 99."),
        (["--temprature", "1"], "did you mean --temperature?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_decoding_that_cannot_be_is_refused(commands: Commands, spoilt: Path, arguments: list[str], said: str) -> None:
    assert said in commands.refused("generate", "mine", *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--split", "vaild"], "did you mean valid?"),
        (["--protocol", "fare"], "did you mean fair?"),
        (["--windows", "0"], "windows cannot be 0."),
        (["--tokens", "-5"], "tokens cannot be -5."),
        (["--corpus", "tex.txt"], "did you mean text.txt?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_score_that_cannot_be_is_refused(commands: Commands, spoilt: Path, arguments: list[str], said: str) -> None:
    assert said in commands.refused("evaluate", "mine", *arguments)


def test_a_text_that_has_moved_or_changed_is_still_known_and_asked_for_only_where_the_cache_is_gone(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.done("train", "text.txt", "--name", "gone", *TINY)
    before = commands.done("evaluate", "gone", "--json").json
    Path("text.txt").write_bytes(Path("text.txt").read_bytes() + b"more")
    assert commands.done("evaluate", "gone", "--json").json == before
    monkeypatch.setenv("GLASSLOOM_CACHE", "another")
    assert "is another one now" in commands.refused("evaluate", "gone")
    Path("text.txt").rename("moved.txt")
    assert "give the text with --corpus" in commands.refused("evaluate", "gone")
    said = commands.refused("report", "gone")
    assert "put the text back as it was" in said
    assert "--corpus" not in said
    commands.done("evaluate", "gone", "--corpus", "moved.txt")


def test_a_run_from_elsewhere_names_no_place_in_the_cache(commands: Commands, spoilt: Path) -> None:
    facts = json.loads((spoilt / "corpus.json").read_text(encoding="utf-8"))
    for odd in ("../../elsewhere", "/etc", None, 3):
        (spoilt / "corpus.json").write_text(json.dumps({**facts, "fingerprint": odd}), encoding="utf-8")
        assert commands.done("evaluate", "mine", "--json").json["tokens"] > 0


def test_a_mistake_of_ours_is_owned_up_to(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Outcome:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("glassloom.api.describe_runs", broken)
    outcome = commands("runs")
    assert outcome.code == 1
    assert outcome.lines == [
        "error: Glassloom made a mistake: ZeroDivisionError: division by zero. "
        "To do: run it again with --debug and report it."
    ]
    assert "in broken" in commands("runs", "--debug").err


WITHOUT_STEPS = [*TINY[: TINY.index("--steps")], *TINY[TINY.index("--steps") + 2 :]]


def test_another_kind_of_budget_or_less_than_is_used_is_refused_on_resume(commands: Commands) -> None:
    commands.done("train", "text.txt", *TINY, "--name", "short")
    for budget in (("--minutes", "1"), ("--steps", "3"), ("--epochs", "1")):
        said = commands.refused("train", "text.txt", *WITHOUT_STEPS, "--name", "short", "--resume", *budget)
        assert "was begun with steps 4 and has used 4" in said
    assert commands.done("runs", "--json").json["runs"][0]["step"] == 4


def test_a_comparison_is_not_continued_with_another_budget(commands: Commands) -> None:
    commands.done("compare", "text.txt", "--models", "rnn", "--out", "out", *WITHOUT_STEPS, "--steps", "2")
    said = commands.refused("compare", "text.txt", "--models", "rnn", "--out", "out", *WITHOUT_STEPS, "--steps", "4")
    assert "was given steps 2, not steps 4" in said


def test_windows_of_a_list_of_sequences_are_refused(commands: Commands) -> None:
    commands.done(
        "train", "brackets", "--samples", "50", "--steps", "2", "--width", "8", "--layers", "1", "--name", "b"
    )
    assert "list of sequences" in commands.refused("evaluate", "b", "--windows", "64")
