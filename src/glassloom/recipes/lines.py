"""On which line of a TOML file a key stands: its parser tells values, not places."""

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

TOKEN = re.compile(
    r'''(?P<space>[ \t\r]+|\#[^\n]*)
    |(?P<string>"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:'{0,2})|"(?:\\.|[^"\\\n])*"|'[^'\n]*')
    |(?P<sign>[\[\]{}=,.\n])
    |(?P<bare>[^\s\[\]{}=,."'#]+)''',
    re.VERBOSE | re.DOTALL,
)
Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[Any]) -> int | None:
    """The line, counted from 1, of what a path of keys and list places leads to.

    Where that is not there, the line of what it would stand in; None where that is the file itself.

    >>> text = 'name = "x"\\n[[part]]\\nruns = [\\n  { id = "a", lr = 1 },\\n  { id = "b", rl = 1 },\\n]'
    >>> line_of(text, ["part", 0, "runs", 1, "rl"]), line_of(text, ["part", 0, "title"]), line_of(text, ["title"])
    (5, 2, None)
    """
    lines = lines_of(text)
    return next((lines[found] for end in range(len(path), 0, -1) if (found := tuple(path[:end])) in lines), None)


@lru_cache(maxsize=8)
def lines_of(text: str) -> dict[Path, int]:
    """The line of every key, every entry of a list and every table of a text that is valid TOML."""
    return Reader(text).lines


class Reader:
    """Goes through the text once; `lines` is what it found."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path, int] = {}
        self.tokens: list[tuple[str, str, int]] = []
        line, place = 1, 0
        while found := TOKEN.match(text, place):
            if found.lastgroup != "space":
                self.tokens.append((found.lastgroup or "", found[0], line))
            line, place = line + found[0].count("\n"), found.end()
        self.place, self.counts = 0, dict[Path, int]()
        base: Path = ()
        while self.place < len(self.tokens):
            if self.at("\n"):
                self.place += 1
            elif self.at("["):
                base = self.header()
            else:
                self.pair(base)

    def at(self, *signs: str) -> bool:
        """Whether one of these signs comes next."""
        kind, text, _ = self.tokens[self.place] if self.place < len(self.tokens) else ("sign", "", 0)
        return kind == "sign" and text in signs

    def header(self) -> Path:
        """`[table]` or `[[list of tables]]`: where the keys below it belong."""
        line, path = self.tokens[self.place][2], Path()
        self.place += 1
        several = self.at("[")
        self.place += several
        keys = self.keys("]")
        self.place += several
        for number, key in enumerate(keys, start=1):
            path += (key,)
            if several and number == len(keys):
                self.counts[path] = self.counts.get(path, 0) + 1
                self.lines.setdefault(path, line)
            if path in self.counts:
                path += (self.counts[path] - 1,)
        self.lines[path] = line
        return path

    def keys(self, end: str) -> list[str]:
        """The parts of a dotted key, up to the sign that ends it."""
        found = []
        while self.place < len(self.tokens) and not self.at(end):
            kind, text, _ = self.tokens[self.place]
            if kind != "sign":
                found.append(tomllib.loads(f"key = {text}")["key"] if kind == "string" else text)
            self.place += 1
        self.place += 1
        return found

    def pair(self, base: Path) -> None:
        """`key = value`."""
        line = self.tokens[self.place][2]
        for key in self.keys("="):
            base += (key,)
            self.lines.setdefault(base, line)
        self.value(base)

    def value(self, path: Path) -> None:
        """A value, with whatever is inside it."""
        number = 0
        if self.at("[", "{"):
            end = "]" if self.at("[") else "}"
            self.place += 1
            while self.place < len(self.tokens) and not self.at(end):
                if self.at("\n", ","):
                    self.place += 1
                elif end == "}":
                    self.pair(path)
                else:
                    self.lines[*path, number] = self.tokens[self.place][2]
                    self.value((*path, number))
                    number += 1
            self.place += 1
            return
        self.place += 1
        while self.at(".") or (self.place < len(self.tokens) and self.tokens[self.place][0] == "bare"):
            self.place += 1
