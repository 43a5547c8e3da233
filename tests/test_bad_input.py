"""What bad input gets: what cannot be used one clear sentence and exit code 2, what can be used one notice."""

from pathlib import Path

import pytest

from commands import TINY, Commands

ZEN = "Beautiful is better than ugly.\nExplicit is better than implicit.\nSimple is better than complex.\n"
TEXT = ZEN * 30


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own, with a text in it."""
    monkeypatch.chdir(tmp_path)
    Path("text.txt").write_text(TEXT, encoding="utf-8")
    return tmp_path


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
        "notice: 1 file of mixed skipped, being no readable text: program.",
        "notice: The 2 files of mixed are split as wholes, which gives train 50.0%, valid 50.0%, test 0.0% instead of "
        "90/5/5. Join them into one file, which is split anywhere, or say with --split what suits them.",
    ]


def test_whole_files_that_come_near_the_shares_need_no_word(commands: Commands) -> None:
    Path("many").mkdir()
    for number in range(20):
        written(f"many/{number:02}.txt", TEXT)
    assert commands.done("corpora", "many", "--no-baselines").notices == []
    said = commands.done("corpora", "many", "--no-baselines", "--split", "97,2,1").notices
    assert len(said) == 1
    assert "which gives train 90.0%, valid 5.0%, test 5.0% instead of 97/2/1." in said[0]


def test_an_empty_file_is_refused(commands: Commands) -> None:
    assert commands.refused("train", written("empty.txt", "")).startswith("empty.txt is empty.")


def test_one_character_is_refused(commands: Commands) -> None:
    assert "has only one character" in commands.refused("train", written("one.txt", "a"))


def test_a_text_shorter_than_the_context_is_refused_where_the_context_was_asked_for(commands: Commands) -> None:
    said = commands.refused("train", "text.txt", "--model", "transformer", "--context", "5000", "--batch-size", "1")
    assert said.startswith("The text has 2592 tokens, too few for one window of context 5000. Expected: at least 5001 ")
    assert said.endswith("To do: give a longer text, or set context to 2591 or less.")
    said = commands.refused("train", "text.txt", "--sequence-length", "5000")
    assert said.endswith("or set sequence_length to 2591 or less.")


def test_a_text_shorter_than_the_usual_context_is_used_with_a_notice(commands: Commands) -> None:
    written("short.txt", ZEN)
    outcome = commands.done("train", "short.txt", "--model", "transformer", "--steps", "1", "--width", "8")
    assert [line for line in outcome.notices if "The text is short" in line]
    assert [line for line in outcome.notices if "very short, 86 tokens to learn from and 5 to be scored" in line]


def test_a_text_of_a_single_symbol_is_said_to_teach_nothing_and_its_figures_are_true(commands: Commands) -> None:
    written("one.txt", "a" * 3000)
    outcome = commands.done("train", "one.txt", "--name", "one", *TINY)
    assert outcome.notices == [
        "notice: The text consists of a single symbol, 'a' U+0061: every next one is certain, every loss is 0, and "
        "there is nothing to learn."
    ]
    assert "0.0000 nats per token, 1.00 perplexity, 0.0000 bits per character" in outcome.out
    scored = commands.done("evaluate", "one", "--json").json
    assert scored["nats_per_token"] == 0
    assert scored["baselines"]["unigram"]["nats_per_token"] == pytest.approx(0, abs=1e-12)
    assert scored["baselines"]["xz"]["bits_per_character"] == pytest.approx(8 / 150), "one byte for 150 symbols"


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
    assert commands.done("corpora", "latin.txt", "--encoding", "latin-1", "--no-baselines").notices == []


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


def test_a_warm_up_that_is_never_over_is_said(commands: Commands) -> None:
    said = commands.done("train", "text.txt", *TINY, "--warmup", "8", "--lr", "0.1").notices
    assert said == [
        "notice: The warm-up takes 8 steps and the budget is 4: the learning rate rises to 0.05 at the last step, and "
        "the schedule never begins. Lower --warmup, or make it a share below 1."
    ]
    assert commands.done("train", "text.txt", *TINY, "--warmup", "3").notices == []


def test_nothing_is_said_about_batches_before_they_are_refused(commands: Commands) -> None:
    outcome = commands("train", "text.txt", "--sequence-length", "2000", "--batch-size", "9")
    assert outcome.lines == [
        "error: The text has 2592 tokens, too few to fill batch_size 9 at sequence_length 2000. Expected: a batch size "
        "of at most 1. To do: set batch_size to 1 or less, or shorten sequence_length."
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--widht", "3"], "train has no option --widht; did you mean --width?"),
        (["--model.widht", "3"], "train has no option --model.widht; did you mean --width?"),
        (["--nothing-like-it"], "train has no option --nothing-like-it. To do: see glassloom train --help."),
        (["--model", "gruu"], "There is no architecture called 'gruu'. Expected: one of rnn, gru, lstm, transformer; "
         "or, where a package adds it, that package installed; "
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
        (["--jobs", "two"], "--jobs cannot be two. Expected: a whole number."),
        (["--match", "layers"], "'layers' cannot be matched."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_comparison_that_cannot_be_made_is_refused_before_anything_is_trained(
    commands: Commands, arguments: list[str], said: str
) -> None:
    assert said in commands.refused("compare", "text.txt", *TINY, *arguments)
    assert not Path("runs").exists()
