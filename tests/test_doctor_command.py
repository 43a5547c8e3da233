"""`glassloom doctor FILE.py`: exit codes, one JSON object, and files that misbehave."""

import os
import random
from pathlib import Path

import pytest
import torch
from torch import nn

from commands import Commands
from doctor_files import FAULTS, TRANSFORMER, written
from glassloom.cli.doctor import pair, parted
from glassloom.doctor import examine
from glassloom.doctor.names import NAMES

BOW = """
import torch.nn as nn


def build_model(vocab_size, width=8):
    return nn.Sequential(nn.Embedding(vocab_size, width), nn.Linear(width, vocab_size), nn.Softmax(-1))


def other(vocab_size):
    return nn.Sequential(nn.Embedding(vocab_size, 8), nn.Linear(8, 5))
"""


@pytest.fixture
def commands(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)


def saved(folder: Path, source: str) -> Path:
    file = folder / "model.py"
    file.write_text(source, encoding="utf-8")
    return file


def test_a_sick_file_gives_one_json_object_and_exit_code_one(tmp_path: Path, commands: Commands) -> None:
    source, changes = FAULTS["softmax-before-loss"][0]
    outcome = commands("doctor", saved(tmp_path, written(source, changes)), "--json")
    assert outcome.code == 1
    assert outcome.err == ""
    assert set(outcome.json) == {"verdict", "findings"}
    assert outcome.json["verdict"] == "sick"
    first = outcome.json["findings"][0]
    assert set(first) == {"name", "severity", "evidence", "explanation", "fix"}
    assert first["name"] == "softmax-before-loss"
    assert first["evidence"]["loss_of_perfect_predictions"] == pytest.approx(2.656312, abs=1e-4)  # ln(e + 36) - 1


def test_a_healthy_file_has_exit_code_zero(tmp_path: Path, commands: Commands) -> None:
    outcome = commands("doctor", saved(tmp_path, TRANSFORMER))
    assert outcome.code == 0
    assert outcome.out.startswith("healthy: 0 findings")
    assert "which token moves which prediction" in outcome.err, "progress"


def test_another_builder_and_its_arguments_can_be_named(tmp_path: Path, commands: Commands) -> None:
    file = saved(tmp_path, BOW)
    found = commands("doctor", f"{file}:other", "--json").json["findings"]
    assert found[0]["name"] == "vocabulary-mismatch"
    assert found[0]["evidence"] == {"last_axis": 5, "vocabulary": 37}
    refused = commands("doctor", file, "--set", "depth=2").err
    assert "unexpected keyword" in refused
    assert "it takes (vocab_size, width=8): give what has no default with --set NAME=VALUE" in refused


def test_what_cannot_be_examined_is_one_sentence(tmp_path: Path, commands: Commands) -> None:
    assert "There is no file" in commands.refused("doctor", tmp_path / "none.py")
    assert "ModuleNotFoundError" in commands.refused("doctor", saved(tmp_path, "import nothing_of_the_kind"))
    assert "defines no build_model" in commands.refused("doctor", saved(tmp_path, "x = 1"))
    none = "from torch import nn\ndef build_model(n):\n    return nn.Linear(3, 3)\n"
    assert "No logits" in commands.refused("doctor", saved(tmp_path, none))


def test_a_file_that_hangs_is_stopped(tmp_path: Path, commands: Commands) -> None:
    hangs = "import time\ndef build_model(n):\n    time.sleep(600)\n"
    assert "stopped after 3 s" in commands.refused("doctor", saved(tmp_path, hangs), "--timeout", "3")


def test_a_file_that_misbehaves_does_not_disturb(tmp_path: Path, commands: Commands) -> None:
    rude = """
import os, sys, random
import torch
print("hello"); sys.stderr.write("you\\n"); os.write(1, b"raw\\n")
os.chdir("/"); torch.manual_seed(3); random.seed(3); torch.set_num_threads(1)
torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)
"""
    outcome = commands("doctor", saved(tmp_path, rude + BOW), "--json")
    assert [found["name"] for found in outcome.json["findings"]] == ["softmax-before-loss", "no-past"]
    assert outcome.err == ""


def test_in_python_nothing_is_left_changed() -> None:
    def build(vocab_size: int) -> nn.Module:
        torch.manual_seed(0)
        random.seed(0)
        os.chdir("/")
        torch.set_default_dtype(torch.float64)
        return nn.Sequential(nn.Embedding(vocab_size, 8), nn.Linear(8, vocab_size))

    torch.manual_seed(5)
    random.seed(5)
    before = os.getcwd(), torch.get_rng_state(), random.getstate(), torch.get_num_threads()
    assert examine(build, trials=False).names == ("no-past",)
    assert os.getcwd() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    assert random.getstate() == before[2]
    assert torch.get_num_threads() == before[3]
    assert torch.get_default_dtype() == torch.float32


def test_a_text_of_the_users_own_sets_the_vocabulary() -> None:
    def build(vocab_size: int) -> nn.Module:
        return nn.Sequential(nn.Embedding(vocab_size, 8), nn.Linear(8, 4))

    found = examine(build, text="abcab" * 300, trials=False).findings[0]
    assert found.evidence == {"last_axis": 4, "vocabulary": 3}


def test_values_and_builders_are_read_from_the_command_line() -> None:
    assert pair("width=64") == ("width", 64)
    assert pair("tied=true") == ("tied", True)
    assert pair("cell=gru") == ("cell", "gru")
    assert parted("a/model.py:small") == ("a/model.py", "small")
    assert parted("a/model.py") == ("a/model.py", "")


def test_every_name_can_be_explained(commands: Commands) -> None:
    for name in NAMES:
        assert name in commands.done("doctor", "--explain", name).out
    assert "did you mean no-past?" in commands.refused("doctor", "--explain", "no-pasts")
