"""The command line as people and machines see it: flags, help, JSON, terminals, signals, pipes."""

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest

from commands import TINY, Commands
from glassloom.cli.app import COMMANDS
from glassloom.config import Config, all_settings

TEXT = "Now is better than never. Although never is often better than right now.\n" * 30
FLAGS = (
    *("--model", "--tokenizer", "--layers", "--width", "--embedding", "--heads", "--context", "--sequence-length"),
    *("--batch-size", "--optimizer", "--lr", "--schedule", "--warmup", "--dropout", "--clip-norm", "--clip-value"),
    *("--weight-decay", "--ema", "--epochs", "--steps", "--minutes", "--train-tokens", "--eval-every", "--save-every"),
    *("--sample-every", "--seed", "--device", "--precision"),
)
FIGURES = {"nats_per_token", "perplexity", "bits_per_character", "bits_per_byte"}
BASELINES = {"uniform", "unigram", "bigram", "kneser-ney-5", "xz"}
PROGRAM = [sys.executable, "-m", "glassloom"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


def flags_in(help: str) -> set[str]:
    """Every flag that a help text explains."""
    return set(re.findall(r"--[a-z][a-z0-9-]*", help))


# -- flags and help


@pytest.mark.parametrize("command", ["train", "compare"])
def test_every_common_flag_is_explained_by_train_and_by_compare(commands: Commands, command: str) -> None:
    assert set(FLAGS) <= flags_in(commands.done(command, "--help").out)


def test_train_has_the_flags_of_a_run(commands: Commands) -> None:
    shown = flags_in(commands.done("train", "--help").out)
    assert {"--runs", "--name", "--resume", "--from", "--dry-run", "--no-stop-on-divergence"} <= shown


def test_every_setting_has_a_flag(commands: Commands) -> None:
    shown = flags_in(commands.done("train", "--help").out)
    assert {setting.flag for setting in all_settings()} <= shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_and_takes_json_and_debug(commands: Commands, command: str) -> None:
    outcome = commands.done(command, "--help")
    assert outcome.out.startswith(f"Usage: glassloom {command}")
    assert {"--json", "--debug"} <= flags_in(outcome.out)
    assert outcome.err == ""


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_help_fits_the_terminal_and_has_no_colours_where_there_is_none(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in ("train", "compare", "generate"):
        out = commands.done(command, "--help").out
        boxes = [line for line in out.splitlines() if line.startswith(("│", "╭"))]
        assert len(boxes) > 10
        assert max(map(len, boxes)) <= columns
        assert "\x1b" not in out


def test_help_names_the_default_of_each_model_where_they_differ(commands: Commands) -> None:
    out = " ".join(commands.done("train", "--help").out.replace("│", "").split())
    assert "[2; transformer 4]" in out
    assert "[adam; transformer muon]" in out
    assert "Learning rate at its highest (above 0) [" in out
    assert "gelu as GPT-2 approximates it (one of gelu, gelu_tanh, relu, relu2, swiglu) [gelu]" in out
    assert "<eos> and <unk> among them" in out


def test_settings_can_be_given_by_their_full_names(commands: Commands) -> None:
    full = ["--train.steps", "2", "--model.width=8", "--data.lowercase", "--no-train.stop-on-divergence"]
    commands.done("train", "text.txt", "--name", "full", "--model.model", "rnn", "--model.initial_state=zero", *full)
    saved = Config.from_dict(json.loads(Path("runs/full/config.json").read_text(encoding="utf-8")))
    assert saved.architecture == "rnn"
    assert (saved.train.steps, saved.model.model_dump()["width"], saved.data.lowercase) == (2, 8, True)
    assert not saved.train.stop_on_divergence


def test_none_unsets_a_setting(commands: Commands) -> None:
    commands.done("train", "text.txt", "--name", "free", *TINY, "--clip-norm", "none")
    assert json.loads(Path("runs/free/config.json").read_text(encoding="utf-8"))["train"]["clip_norm"] is None


def test_a_context_that_is_asked_for_decides_the_length_of_a_step(commands: Commands) -> None:
    model = ("--model", "transformer", "--context", "16", "--width", "8", "--steps", "1", "--name", "near")
    commands.done("train", "text.txt", *model)
    assert json.loads(Path("runs/near/config.json").read_text(encoding="utf-8"))["train"]["sequence_length"] == 16


def test_a_flag_means_the_same_in_compare_and_in_train(commands: Commands) -> None:
    settings = (*TINY, "--model", "rnn", "--lowercase", "--split", "80,20", "--lr", "0.01", "--seed", "3")
    commands.done("train", "text.txt", "--name", "one", *settings)
    commands.done("compare", "text.txt", "--out", "both", *settings)
    [other] = Path("both").glob("*/config.json")
    assert json.loads(other.read_text(encoding="utf-8")) == json.loads(
        Path("runs/one/config.json").read_text(encoding="utf-8")
    )


# -- for machines


def test_train_prints_one_object_for_machines(commands: Commands) -> None:
    found = commands.done("train", "text.txt", "--name", "machine", *TINY, "--json").json
    assert {"run", "steps", "seconds", "tokens_per_second", "best"} <= set(found)
    assert Path(found["run"]) == Path("runs/machine")
    assert found["steps"] == 4
    assert {"step"} | FIGURES <= set(found["best"])
    assert set(found["baselines"]) == BASELINES


def test_a_dry_run_prints_the_model_and_trains_nothing(commands: Commands) -> None:
    plan = commands.done("train", "text.txt", *TINY, "--dry-run", "--json").json
    assert sum(layer["parameters"] for layer in plan["layers"]) == plan["parameters"]
    assert not Path("runs").exists()
    text = commands.done("train", "text.txt", *TINY, "--dry-run").out
    assert "embedding.weight" in text
    assert f"{plan['parameters']:,}" in text


def test_evaluate_prints_one_object_for_machines(commands: Commands, trained: Path) -> None:
    found = commands.done("evaluate", trained, "--json").json
    assert {"split", "tokens", "baselines"} | FIGURES <= set(found)
    assert found["split"] == "valid"
    assert set(found["baselines"]) == BASELINES
    assert all(set(baseline) >= FIGURES for baseline in found["baselines"].values())


def test_generate_prints_one_object_for_machines(commands: Commands, trained: Path) -> None:
    found = commands.done("generate", trained, "--prompt", "Now", "--count", "2", "--length", "7", "--json").json
    assert set(found) == {"samples"}
    assert [len(sample["ids"]) for sample in found["samples"]] == [7, 7]
    assert found["samples"][0]["prompt"] == "Now"


def test_corpora_prints_one_object_for_machines(commands: Commands) -> None:
    found = commands.done("corpora", "text.txt", "--json").json
    assert {"sizes", "sha256", "vocabulary", "baselines"} <= set(found)
    assert set(found["baselines"]) == BASELINES
    language = commands.done("corpora", "ndfa", "--samples", "50", "--json").json
    assert language["entropy_nats_per_sequence"] > 0
    assert {"ptb", "ndfa"} <= {row["name"] for row in commands.done("corpora", "--json").json["corpora"]}


def test_runs_prints_one_object_for_machines(commands: Commands, trained: Path) -> None:
    assert commands.done("runs", "--runs", "nowhere", "--json").json == {"runs": []}
    [run] = commands.done("runs", "--runs", trained.parent, "--json").json["runs"]
    assert (run["name"], run["state"], run["model"], run["step"]) == ("whole", "finished", "gru", 4)


def test_compare_prints_what_it_wrote(commands: Commands) -> None:
    arguments = ("compare", "text.txt", "--models", "rnn,gru", "--seeds", "2", "--out", "two", *TINY)
    found = commands.done(*arguments, "--json").json
    assert found == json.loads(Path("two/results.json").read_text(encoding="utf-8"))
    assert len(found["rows"]) == 4
    wanted = {"id", "model", "seed", "settings", "epoch", "seconds", "train_perplexity", "valid_perplexity"}
    assert wanted | {"valid_perplexity_fair", "valid_bits_per_character"} <= set(found["rows"][0])
    table = commands.done(*arguments).out
    assert "architecture" in table
    assert "two/report.html" in table


def test_infinite_figures_are_null_for_machines(commands: Commands) -> None:
    wild = ("--optimizer", "sgd", "--lr", "1e6", "--clip-norm", "none", "--no-stop-on-divergence")
    outcome = commands("train", "text.txt", "--name", "wild", *TINY, *wild, "--json")
    assert outcome.code in (0, 1)
    json.loads(outcome.out, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))
    for command in ("evaluate", "runs"):
        said = commands(command, *(["wild"] if command == "evaluate" else []), "--json")
        json.loads(said.out, parse_constant=lambda constant: pytest.fail(f"{constant} in JSON"))


# -- for people


def test_results_go_to_one_stream_and_progress_to_the_other(commands: Commands) -> None:
    outcome = commands.done("train", "text.txt", "--name", "plain", *TINY)
    assert "this model" in outcome.out
    assert "kneser-ney-5" in outcome.out
    assert "tokens/s" not in outcome.out
    assert outcome.notices == outcome.lines[:1], "the text is a tiny one"
    assert "SHA-256" in outcome.lines[1]
    for fact in ("gru:", "parameters on cpu in float32", "1 threads", "kernels", "seed 0", "-> runs/plain"):
        assert fact in outcome.lines[2]
    assert [
        line for line in outcome.lines if re.match(r"step 2  train .* valid .* bits/char .* tokens/s  .* left", line)
    ]
    assert "\x1b" not in outcome.err


def test_words_are_shown_in_perplexity(commands: Commands) -> None:
    outcome = commands.done("train", "text.txt", "--name", "words", *TINY, "--tokenizer", "word")
    assert [line for line in outcome.lines if re.search(r"valid [\d.]+ perplexity", line)]


def test_several_samples_come_one_below_the_other(commands: Commands, trained: Path) -> None:
    arguments = ("generate", trained, "--prompt", "Now", "--count", "3", "--length", "20")
    wanted = [sample["text"] for sample in commands.done(*arguments, "--json").json["samples"]]
    shown = commands.done(*arguments).out
    assert shown == "".join(f"--- sample {i} of 3\nNow{text}\n" for i, text in enumerate(wanted, 1))


def test_samples_that_stop_at_different_lengths_are_shown_whole(commands: Commands, trained: Path) -> None:
    arguments = ("generate", trained, "--count", "4", "--length", "60", "--stop", "e", "--stop", ",")
    samples = commands.done(*arguments, "--json").json["samples"]
    assert len({len(sample["ids"]) for sample in samples}) > 1
    shown = commands.done(*arguments).out
    assert shown == "".join(f"--- sample {i} of 4\n{sample['text']}\n" for i, sample in enumerate(samples, 1))


def test_a_prompt_may_begin_with_a_hyphen(commands: Commands, trained: Path) -> None:
    commands.done("generate", trained, "--prompt", "-x", "--skip-unknown", "--length", "2")


def test_a_prompt_may_come_through_standard_input(
    commands: Commands, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Now")))
    assert commands.done("generate", trained, "--prompt", "-", "--length", "2").out.startswith("Now")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"No\xff")))
    assert "is not UTF-8: byte 2 cannot be decoded" in commands("generate", trained, "--prompt", "-").err


# -- as a program of its own


def test_the_program_answers_without_torch() -> None:
    code = (
        "import sys\nfrom glassloom.cli.app import run\n"
        "assert run(['--help']) == 0 and run(['--version']) == 0 and run([]) == 0\n"
        "assert run(['trian']) == 2\nassert 'torch' not in sys.modules"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "From a text to a model" in outcome.stdout
    assert re.search(r"^glassloom \d+\.\d+\.\d+$", outcome.stdout, re.MULTILINE)


def test_a_terminal_that_knows_only_ascii_is_no_reason_to_stop(trained: Path) -> None:
    plain = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    code = (
        "import sys\nfrom glassloom.cli.app import run\nassert sys.stdout.encoding.lower() not in ('utf-8', 'utf8')\n"
        "run(['train', '--help'])\nrun(['generate', sys.argv[1], '--prompt', chr(233)])\n"
        "run(['generate', sys.argv[1], '--prompt', chr(233) + chr(0x1F600), '--json'])"
    )
    outcome = subprocess.run([sys.executable, "-c", code, str(trained)], capture_output=True, env=plain)
    assert outcome.returncode == 0, outcome.stderr
    assert b"U+00E9" in outcome.stderr
    assert b"--batch-size" in outcome.stdout
    assert "U+1F600" in json.loads(outcome.stdout.splitlines()[-1])["error"]["what"]


def on_terminal(arguments: list[str], **environment: str) -> tuple[int, str]:
    """Run the program on a terminal of 80 columns: its exit code, and all that it sent there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    known = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    surroundings = {**known, "TERM": "xterm-256color", **environment}
    process = subprocess.Popen([*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=surroundings)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # Linux says so when the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    return process.wait(), shown.decode()


def test_a_terminal_gets_a_live_line_and_nothing_of_the_texts_own_codes() -> None:
    Path("bell.txt").write_text("ring \x1b]0;title\x07 \x1b[31m\x9b2J\n" * 80, encoding="utf-8")
    code, shown = on_terminal(["train", "bell.txt", *TINY[:4], "--steps", "60", "--threads", "1"], NO_COLOR="1")
    assert code == 0
    assert "tokens/s" in shown
    assert "bits/char" in shown
    assert "100%" in shown
    assert shown.index("\x1b[?25l") < shown.rindex("\x1b[?25h"), "the cursor comes back"
    codes = set(re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]", shown))
    assert codes <= {"\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A"}, "only what moves the live line"
    assert shown.count("\x1b") == len(re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]", shown))
    assert set("\x07\x9b").isdisjoint(shown)
    assert "␛" in shown


def test_generated_text_arrives_before_the_end_and_a_closed_pipe_ends_it_quietly(trained: Path) -> None:
    command = [*PROGRAM, "generate", str(trained), "--prompt", "Now is", "--length", "200000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.read(40)
        assert process.poll() is None, "the text came only at the end"
        assert first.startswith(b"Now is")
        process.stdout.close()
        assert process.wait(timeout=60) == 0
        assert process.stderr.read() == b""


def test_an_interrupt_while_the_text_is_read_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    os.mkfifo("endless.txt")
    cache = tmp_path / "cache"
    surroundings = {**os.environ, "GLASSLOOM_CACHE": str(cache)}
    command = [*PROGRAM, "train", "endless.txt", *TINY]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=surroundings) as process:
        # Our end opens when the program opens the other.
        with suppress(BrokenPipeError), open("endless.txt", "w", encoding="utf-8") as text:
            text.write(TEXT)
            text.flush()
            process.send_signal(signal.SIGINT)
            while process.poll() is None:  # more text, for a signal that came just before the program began to wait
                text.write(TEXT)
        said = process.communicate(timeout=60)[1]
        assert process.returncode == 130
    assert said == "interrupted\n"
    assert not Path("runs").exists()
    assert not list(cache.rglob(".tmp-*"))


def test_a_signal_while_a_model_trains_saves_and_says_how_to_go_on(commands: Commands) -> None:
    forever = ("--width", "8", "--layers", "1", "--threads", "1", "--eval-every", "1", "--batch-size", "4")
    command = [*PROGRAM, "train", "text.txt", "--name", "long", *forever, "--steps", "1000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if line.startswith("step "))
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read()
        assert process.wait(timeout=60) == 143
    assert "--resume --name long goes on" in said
    [run] = commands.done("runs", "--json").json["runs"]
    assert run["state"] == "interrupted"
    found = commands.done("train", "text.txt", "--name", "long", "--resume", "--steps", run["step"] + 2, "--json").json
    assert found["steps"] == run["step"] + 2
