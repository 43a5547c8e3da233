"""The house's own rules: imports go one way, files stay readable, nothing prints or unpickles, the README is true."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import glassloom

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "glassloom"
LEVELS = [
    ["cli"],
    ["serving"],
    ["studio"],
    ["api", "extending", "testing"],
    ["notebook"],
    ["experiment", "tuning", "forecast"],
    ["report"],
    ["comparison", "doctor", "exchange"],
    ["training"],
    ["views"],
    ["generation"],
    ["runs"],
    ["recipes"],
    ["config"],
    ["models", "data"],
    ["kernels"],
    ["loss"],
    ["storage", "plugins"],
    ["shapes", "units", "exhibits", "paper", "errors"],
]
"""The rooms from the top down; a room imports only rooms further down."""

LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
FILES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Every room of ours that a file imports, at its top or anywhere inside."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module] + [
                f"{node.module}.{alias.name}" for alias in node.names if node.module == "glassloom"
            ]
        for name in names:
            parts = name.split(".")
            if parts[0] == "glassloom" and len(parts) > 1 and parts[1] in LEVEL:
                yield parts[1]


def test_every_room_has_its_level_and_every_level_its_room() -> None:
    rooms = {room_of(path) for path in FILES} - {"__init__", "__main__"}
    assert rooms <= set(LEVEL), f"give these a level: {rooms - set(LEVEL)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_only_downwards(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    upwards = [other for other in imported(path) if other != room and LEVEL[other] <= LEVEL[room]]
    assert not upwards, f"{room} must not import {', '.join(upwards)}"


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=lambda path: path.name)
def test_no_file_is_beyond_four_hundred_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


def test_only_the_command_line_prints_or_exits() -> None:
    guilty = []
    for path in FILES:
        if room_of(path) in ("cli", "__main__"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit", "exit", "quit"):
                guilty.append(f"{path.name}:{node.lineno}")
    assert not guilty


def test_nothing_in_the_package_can_run_code_from_a_file() -> None:
    words = re.compile(r"\btorch\.load\(|\bpickle\b(?!\.)|pickle\.load|(?<![\w.])eval\(|(?<![\w.])exec\(|yaml\.load")
    guilty = [
        f"{path.name}: {line.strip()}"
        for path in FILES
        for line in path.read_text(encoding="utf-8").splitlines()
        if words.search(line) and not line.lstrip().startswith(("#", '"', "'")) and "No pickle" not in line
    ]
    assert not guilty


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_module_class_and_public_function_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body, f"{path.name} has no docstring"
    for node in tree.body:
        public = isinstance(node, (ast.ClassDef, ast.FunctionDef)) and not node.name.startswith("_")
        assert not public or ast.get_docstring(node), f"{path.name}: {node.name} has no docstring"


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.split("<!-- tree -->")[1].split("<!-- end of tree -->")[0]
    told = set(re.findall(r"^\s+([a-z_]+)(?:/|\.py)\s", block, re.MULTILINE))
    there = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix in ("", ".py")}
    assert told == there - {"__init__", "__main__", "__pycache__"}


def test_every_public_name_can_be_imported_and_is_in_the_documentation() -> None:
    docs = "".join(path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    for name in glassloom.__all__:
        assert callable(getattr(glassloom, name))
        assert f"glassloom.{name}" in docs, f"document glassloom.{name}"


def test_the_table_of_settings_in_the_documentation_comes_from_the_settings() -> None:
    from glassloom.config.document import settings_page

    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page(), (
        "write it anew: python -m glassloom.config.document > docs/settings.md"
    )
