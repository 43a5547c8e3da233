"""Properties of one's own on the command line: a named regular expression, and a function in a file."""

from pathlib import Path

import pytest

from commands import Commands

TEXT = "one, two; three, four; five, six; seven, eight; nine, ten; eleven, twelve"
OWN = "def even(text):\n    return [place % 2 for place in range(len(text))]\n\n\nvalue = 3\n"


def properties(commands: Commands, trained: Path, *asked: object) -> dict[str, list[float]]:
    data = commands.done("view", trained, "units", "--text", TEXT, *asked, "--json").json
    array = data["arrays"]["properties"]
    return dict(zip(array["labels"]["property"], array["values"], strict=True))


def test_a_regular_expression_has_a_name_of_its_own(commands: Commands, trained: Path) -> None:
    found = properties(commands, trained, "--property", "commas=,", "--property", r"late=/t\w+/")
    assert found["commas"] == [float(sign == ",") for sign in TEXT]
    inside = [False] * len(TEXT)
    for word in ("two", "three", "ten", "twelve"):
        at = TEXT.index(f" {word}") + 1
        inside[at : at + len(word)] = [True] * len(word)
    inside[TEXT.index("eight") + 4] = False  # a t alone, with no letter after it
    assert found["late"] == [float(one) for one in inside]


def test_a_function_in_a_file_is_run_when_it_is_named(commands: Commands, trained: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN, encoding="utf-8")
    found = properties(commands, trained, "--property-file", f"{path}:even", "--property", "vowel")
    assert found["even"] == [float(place % 2) for place in range(len(TEXT))]
    assert list(found) == ["vowel", "even"]


@pytest.mark.parametrize(
    ("named", "told"),
    [("mine.py", "names no function"), ("none.py:even", "no file"), ("mine.py:evn", "did you mean even"),
     ("mine.py:value", "no function value"), ("broken.py:f", "ZeroDivisionError")],
)  # fmt: skip
def test_what_cannot_be_run_is_refused_in_a_sentence(
    commands: Commands, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, told: str
) -> None:
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "broken.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    asked = ["view", trained, "units", "--text", TEXT, "--property-file", named]
    assert told in commands.refused(*asked)


def test_the_file_is_said_to_be_run(commands: Commands) -> None:
    shown = " ".join(commands.done("view", "--help").out.replace("│", " ").split())
    assert "The file is run" in shown
