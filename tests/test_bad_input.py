"""What bad input gets: what cannot be used one clear sentence and exit code 2, what can be used one notice."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commands import TINY, Commands, Outcome

ZEN = "Beautiful is better than ugly.\nExplicit is better than implicit.\nSimple is better than complex.\n"
TEXT = ZEN * 20


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with a text in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to be spoilt in copies, with checkpoints of steps 2 and 4."""
    from glassloom.cli.app import run

    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLASSLOOM_CACHE", str(folder / "cache"))
        assert run(["train", str(folder / "text.txt"), "--runs", str(folder), "--name", "whole", *TINY]) == 0
    return folder / "whole"


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


# -- the text


def test_a_missing_file_is_refused_and_the_nearest_one_is_named(commands: Commands) -> None:
    said = commands.refused("train", "tex.txt")
    assert said.startswith("There is no file or folder tex.txt.")
    assert said.endswith("did you mean text.txt?")


def test_a_folder_without_text_is_refused(commands: Commands) -> None:
    Path("empty").mkdir()
    assert "The folder empty has no text that can be read (0 files seen)" in commands.refused("train", "empty")


def test_a_folder_of_binary_files_is_refused(commands: Commands) -> None:
    Path("programs").mkdir()
    written("programs/one", b"\x7fELF\0\0\xff\xfe" * 50)
    assert "has no text that can be read (1 file seen)" in commands.refused("train", "programs")


def test_unreadable_files_of_a_folder_are_skipped_with_a_notice(commands: Commands) -> None:
    Path("mixed").mkdir()
    written("mixed/program", b"\x7fELF\0\0\xff\xfe" * 50)
    written("mixed/a.txt", TEXT)
    written("mixed/b.txt", TEXT)
    assert commands.done("train", "mixed", *TINY).notices == [
        "notice: 1 file of mixed skipped, being no readable text: program."
    ]


def test_an_empty_file_is_refused(commands: Commands) -> None:
    assert commands.refused("train", written("empty.txt", "")).startswith("empty.txt is empty.")


def test_one_character_is_refused(commands: Commands) -> None:
    assert "has only one character" in commands.refused("train", written("one.txt", "a"))


def test_a_text_shorter_than_the_context_is_refused_where_the_context_was_asked_for(commands: Commands) -> None:
    said = commands.refused("train", "text.txt", "--model", "transformer", "--context", "5000", "--batch-size", "1")
    assert "too few for one window" in said
    assert "5001" in said.replace(",", "")


def test_a_text_shorter_than_the_usual_context_is_used_with_a_notice(commands: Commands) -> None:
    written("short.txt", ZEN)
    outcome = commands.done("train", "short.txt", "--model", "transformer", "--steps", "1", "--width", "8")
    assert [line for line in outcome.notices if "The text is short" in line]


def test_an_empty_validation_split_is_refused(commands: Commands) -> None:
    said = commands.refused("train", "text.txt", "--split", "100,0")
    assert said.startswith("The validation split is empty")
    assert "--split" in said


def test_shares_that_are_no_shares_are_refused(commands: Commands) -> None:
    for shares in ("90", "90,20", "a,b", "-10,110", "nan,1"):
        assert "two or three shares that sum to 100" in commands.refused("train", "text.txt", f"--split={shares}")


def test_bytes_that_are_not_utf8_are_named_by_offset_and_another_encoding_is_offered(commands: Commands) -> None:
    said = commands.refused("train", written("latin.txt", b"caf\xe9 " * 100))
    assert "latin.txt is not UTF-8: byte 3 (0xE9) cannot be decoded" in said
    assert "--encoding latin-1" in said
    assert commands.done("train", "latin.txt", "--encoding", "latin-1", *TINY).notices == []


def test_an_unknown_encoding_is_answered_with_the_nearest_one(commands: Commands) -> None:
    assert commands.refused("train", "text.txt", "--encoding", "latn-1").endswith("did you mean latin-1?")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (TEXT.encode("utf-16"), "is UTF-16"),
        (TEXT.encode("utf-8-sig"), "begins with a byte-order mark"),
        (TEXT.replace("\n", "\r\n").encode(), "has Windows line ends"),
        (TEXT.encode() + b"\0", "U+0000 is NUL"),
        (TEXT.encode() + b"\x1b[31m\x07", "control characters, which were kept: U+0007, U+001B"),
    ],
    ids=["UTF-16", "byte-order mark", "CRLF", "NUL", "control characters"],
)
def test_an_odd_text_is_used_with_one_line_of_notice(commands: Commands, content: bytes, said: str) -> None:
    outcome = commands.done("train", written("odd.txt", content), *TINY)
    assert len(outcome.notices) == 1
    assert said in outcome.notices[0]


def test_terminal_control_characters_of_a_text_never_reach_the_terminal(commands: Commands) -> None:
    written("bell.txt", "ring \x1b[31m\x07 \x9b2J \x7f\x1b]0;title\x07\r\n" * 80)
    shown = [
        commands.done("train", "bell.txt", "--name", "bell", "--sample-prompt", "\x1b[2J", *TINY),
        commands.done("generate", "bell", "--length", "300"),
        commands.done("generate", "bell", "--length", "300", "--count", "2"),
        commands.done("generate", "bell", "--length", "300", "--json"),
        commands.done("evaluate", "bell"),
        commands.done("runs"),
        commands.done("report", "bell"),
        commands("generate", "bell", "--prompt", "\x1b[31mé"),
        commands("train", "no\x1b[31m.txt"),
        commands("generate", "no\x9b31m\nrun"),
    ]
    for outcome in shown:
        assert set("\x1b\x07\x9b\x7f\r").isdisjoint(outcome.out + outcome.err), outcome
    assert "␛" in shown[1].out, "the model has learnt nothing of what this test is about"
    assert any("\x1b" in sample["text"] for sample in shown[3].json["samples"])
    assert len(shown[-1].lines) == 1


def test_markup_in_a_text_stays_text_in_the_report(commands: Commands) -> None:
    evil = "</script><img src=x onerror=alert(1)>"
    written("markup.txt", f"{evil} and so on\n" * 60)
    commands.done("train", "markup.txt", "--name", "markup", *TINY, "--sample-prompt", evil)
    page = Path(commands.done("report", "markup", "--json").json["report"]).read_text(encoding="utf-8")
    assert "<img src=x" not in page
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in page


def test_an_unknown_corpus_is_answered_with_the_nearest_one(commands: Commands) -> None:
    assert commands.refused("train", "shakespear").endswith("did you mean shakespeare?")
    assert commands.refused("corpora", "shakespear").endswith("did you mean shakespeare?")


def test_an_offline_machine_is_told_where_to_put_which_file(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("http_proxy", "https_proxy", "all_proxy"):  # nothing answers there
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
        monkeypatch.setenv(variable.upper(), "http://127.0.0.1:9")
    monkeypatch.setenv("GLASSLOOM_DATA", str(tmp_path))
    monkeypatch.setenv("GLASSLOOM_CACHE", str(tmp_path / "cache"))
    said = commands.refused("train", "shakespeare")
    assert "is not on this machine and could not be downloaded" in said
    assert f"put shakespeare.txt into {tmp_path / 'cache'}" in said
    assert "GLASSLOOM_DATA" in said


# -- settings and flags


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--widht", "3"], "train has no option --widht; did you mean --width?"),
        (["--model.widht", "3"], "train has no option --model.widht; did you mean --width?"),
        (["--nothing-like-it"], "train has no option --nothing-like-it. To do: see glassloom train --help."),
        (["--model", "gruu"], "There is no architecture called 'gruu'. Expected: one of rnn, gru, lstm, transformer; "
         "did you mean gru?"),
        (["--optimizer", "adan"], "optimizer cannot be adan. Expected: one of sgd, adagrad, rmsprop, adam, adamw, "
         "muon; did you mean adam?"),
        (["--tokenizer", "chars"], "did you mean char?"),
        (["--lr", "nan"], "lr cannot be nan. Expected: a finite number that is above 0."),
        (["--lr", "inf"], "lr cannot be inf. Expected: a finite number that is above 0."),
        (["--lr", "-1"], "lr cannot be -1. Expected: a number that is above 0. To do: give --lr another value."),
        (["--lr", "fast"], "lr cannot be fast. Expected: a number that is above 0."),
        (["--lr", ""], "lr cannot be ''. Expected: a number that is above 0."),
        (["--minutes", "0"], "minutes cannot be 0."),
        (["--minutes", "inf"], "minutes cannot be inf. Expected: a finite number that is above 0."),
        (["--steps", "2.5"], "steps cannot be 2.5. Expected: a whole number that is at least 1."),
        (["--seed", "-1"], "seed cannot be -1."),
        (["--seed", str(10**30)], "Expected: a whole number that is at least 0 and below 2^62."),
        (["--ema", "1"], "ema cannot be 1. Expected: a number that is above 0 and below 1."),
        (["--steps", "3", "--minutes", "1"], "Training was given 2 budgets: steps and minutes. Expected: one of them."),
        (["--model", "transformer", "--heads", "3", "--width", "128"],
         "The heads must divide the width, but 3 heads do not divide 128. To do: 2 heads would, or a width of 129."),
        (["--heads", "3"], "gru has no setting heads; it is a setting of transformer."),
        (["--model", "rnn", "--activation", "gelu"], "activation cannot be gelu. Expected: one of tanh, relu;"),
        (["--widths", "8,x"], "widths cannot be x. Expected: whole numbers, separated by commas."),
        (["--device", "tpu"], "device cannot be tpu."),
        (["--layers", "2", "--layers", "3"], "--layers was given more than once."),
        (["--width"], "--width needs a value."),
        (["--steps", "--lr", "1"], "--steps needs a value."),
        (["extra"], "train cannot make use of 'extra'."),
        (["--model", "transformer", "--context", "16", "--sequence-length", "32"],
         "sequence_length is 32, longer than the model's context of 16."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_a_setting_that_cannot_be_is_answered_with_what_can(
    commands: Commands, arguments: list[str], said: str
) -> None:
    assert said in commands.refused("train", "text.txt", *arguments)
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    "name",
    ["", "../up", "a/b", "a\\b", "..", ".hidden", "two words", "=-x", "x" * 65, "naïve", "new\nline", "a\0b"],
    ids=repr,
)
def test_a_run_name_with_a_path_or_other_signs_in_it_is_refused(commands: Commands, name: str) -> None:
    said = commands.refused("train", "text.txt", f"--name={name}")
    assert "cannot be a run's name" in said
    assert "1 to 64 letters, digits, dots, hyphens or underscores" in said
    assert not Path("runs").exists()


def test_a_batch_larger_than_the_text_can_fill_is_refused_with_the_largest_that_works(commands: Commands) -> None:
    said = commands.refused("train", "text.txt", "--batch-size", "5000", "--sequence-length", "64")
    largest = int(said.partition("at most ")[2].split(".")[0])
    commands.done("train", "text.txt", *TINY[:6], "--sequence-length", "64", "--batch-size", largest)
    assert "too few to fill" in commands.refused(
        "train", "text.txt", "--batch-size", largest + 1, "--sequence-length", "64"
    )


def test_an_unknown_command_is_answered_with_the_nearest_one(commands: Commands) -> None:
    assert commands.refused("trian", "text.txt").endswith("did you mean train?")


def test_a_missing_text_is_asked_for(commands: Commands) -> None:
    assert commands.refused("train").startswith("train needs CORPUS. Expected: glassloom train CORPUS.")
    assert commands.refused("evaluate").startswith("evaluate needs RUN.")


def test_glassloom_alone_says_what_it_can_do(commands: Commands) -> None:
    outcome = commands.done()
    assert "train" in outcome.out
    assert "compare" in outcome.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--models", "gru,lsmt"], "did you mean lstm?"),
        (["--models", ""], "No model was named."),
        (["--models", "gru,gru"], "Expected: different models."),
        (["--models", "gru", "--model", "rnn"], "Both --model and --models were given."),
        (["--vary", "nonsense"], "'nonsense' cannot be varied. Expected: NAME=VALUE,VALUE."),
        (["--vary", "widthh=1,2"], "did you mean width?"),
        (["--vary", "lr=1,x"], "lr cannot be x."),
        (["--seeds", "0"], "seeds cannot be 0."),
        (["--jobs", "none"], "--jobs cannot be none. Expected: a whole number."),
        (["--match", "layers"], "'layers' cannot be matched."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_comparison_that_cannot_be_made_is_refused_before_anything_is_trained(
    commands: Commands, arguments: list[str], said: str
) -> None:
    assert said in commands.refused("compare", "text.txt", *TINY, *arguments)
    assert not Path("runs").exists()


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
    written("text.txt", TEXT)
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
    assert "set GLASSLOOM_CACHE to a folder of your own" in commands.refused("train", "text.txt", *TINY)


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
    assert "The disk is full" in said.lines[-1]


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


def test_a_text_that_has_moved_or_changed_is_asked_for(commands: Commands) -> None:
    commands.done("train", "text.txt", "--name", "gone", *TINY)
    written("text.txt", TEXT + "more")
    assert "is another one now" in commands.refused("evaluate", "gone")
    Path("text.txt").rename("moved.txt")
    assert "give the text with --corpus" in commands.refused("evaluate", "gone")
    assert os.path.exists("moved.txt")


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
