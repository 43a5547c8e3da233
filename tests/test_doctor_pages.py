"""`--explain`: every name has a whole page, and the snippets that it shows are real."""

import ast
import re
from pathlib import Path

import pytest

from commands import Commands
from glassloom.cli.app import COMMANDS
from glassloom.config import Config, TrainSettings
from glassloom.data.settings import DataSettings
from glassloom.doctor.explain import PARTS, listing, names, page, parts, snippets, table
from glassloom.doctor.run_names import RUN_NAMES
from glassloom.errors import SettingError
from glassloom.models import ARCHITECTURES, settings_of

PAGES = Path(__file__).parent.parent / "src" / "glassloom" / "doctor" / "pages"
DOCTOR = Path(__file__).parent.parent / "docs" / "doctor.md"


def test_every_name_has_a_page_and_every_page_a_name() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == set(names())


@pytest.mark.parametrize("name", names())
def test_a_page_has_all_its_parts_and_is_half_a_page_long(name: str) -> None:
    found = parts(name)
    assert list(found) == ["", *PARTS]
    assert page(name).startswith(f"# {name}\n\n**{names()[name].title}.**")
    assert all(len(text) > 15 for text in found.values()), "nothing is empty"
    assert 20 < len(page(name).splitlines()) < 90
    assert max(map(len, page(name).splitlines())) <= 120


@pytest.mark.parametrize("name", names())
def test_the_snippets_differ_and_are_code(name: str) -> None:
    wrong, right = snippets(name)
    assert wrong.strip() != right.strip()
    fences = page(name).count("```python"), page(name).count("```sh")
    assert fences == ((0, 2) if name in RUN_NAMES else (2, 0))
    if name in RUN_NAMES:
        assert wrong.startswith("glassloom ")
        assert right.startswith("glassloom ")
    else:
        assert "# here" in wrong
        assert "# here" not in right
        ast.parse(wrong)
        ast.parse(right)


OF_THE_COMMAND = {"name", "resume", "from", "help"}
"""Flags of `glassloom train` that are no settings."""


def settings_in(line: str) -> dict[str, str | bool]:
    """The settings that a command line gives, by their plain names."""
    words, given = line.split("#")[0].split(), {}
    for place, word in enumerate(words):
        if not word.startswith("--"):
            continue
        name = word.removeprefix("--").removeprefix("no-").replace("-", "_")
        if name not in OF_THE_COMMAND:
            given[name] = False if word.startswith("--no-") else words[place + 1]
    return given


@pytest.mark.parametrize("name", RUN_NAMES)
def test_the_commands_of_a_page_and_the_flags_of_a_fix_are_ones_that_exist(name: str) -> None:
    for line in snippets(name):
        words = line.split()
        assert words[1] in COMMANDS
        if words[1] == "train":
            given = settings_in(line)
            resolved = Config.from_flat(given).as_dict()
            known = {key for section in resolved.values() for key in section} | {"model"}
            assert set(given) <= known
    for flag in re.findall(r"--([a-z][a-z-]+)", RUN_NAMES[name].fix):
        plain = flag.replace("-", "_")
        assert plain in OF_THE_COMMAND or is_setting(plain), f"--{flag} is no flag"


def is_setting(name: str) -> bool:
    """Whether any settings class has a field of that name."""
    classes = [TrainSettings, DataSettings, *(settings_of(model) for model in ARCHITECTURES)]
    return any(name in one.model_fields for one in classes)


def test_all_names_are_listed_and_a_wrong_one_is_told_the_nearest() -> None:
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] == list(names())
    with pytest.raises(SettingError, match=r"No finding is called future-leek\..*; did you mean future-leak\?"):
        page("future-leek")
    with pytest.raises(SettingError, match="No finding is called"):
        page("../names")


def test_every_name_is_in_the_documentation() -> None:
    told = DOCTOR.read_text(encoding="utf-8")
    assert [name for name in names() if f"`{name}`" not in told] == []
    listed = told.split("<!-- names -->")[1].split("<!-- end of names -->")[0]
    assert listed.strip() == table(), "write it anew: glassloom.doctor.explain.table()"


def test_the_command_prints_a_page_and_without_a_name_the_list(commands: Commands) -> None:
    one = commands("doctor", "--explain", "memorising")
    assert (one.code, one.out.rstrip()) == (0, page("memorising").rstrip())
    every = commands("doctor", "--explain")
    assert (every.code, every.out.rstrip()) == (0, listing())
    assert set(commands("doctor", "--explain", "--json").json["names"]) == set(names())
    wrong = commands("doctor", "--explain", "memorizing")
    assert wrong.code == 2
    assert "did you mean memorising?" in wrong.err
