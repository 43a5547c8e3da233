"""The cases, and what is known of each: read from `cases/expected.toml`, never by the doctor."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One file to examine, and what is to be said of it."""

    kind: str
    """`sick`, `healthy` or `mended`; a mutant is one of the first two."""
    file: str
    names: tuple[str, ...] = ()
    """What is to be named first: the name, and those that fit equally well. None for what is healthy."""
    note: str = ""
    flags: tuple[str, ...] = ()
    builder: str = ""
    twin: str = ""
    source: str = ""
    """The text of the file."""

    @property
    def id(self) -> str:
        return f"{self.kind}/{self.file}"

    @property
    def form(self) -> str:
        """The kind of model, from the file's name: rnn, lstm, transformer ..."""
        return self.file.split("_")[0]


def cases(kinds: tuple[str, ...] = ("sick", "healthy", "mended"), only: str = "") -> list[Case]:
    """The listed cases of these kinds, with a pattern in id, name or note; ValueError where disk and list differ.

    >>> cases(("sick",), only="lstm_01")[0].names
    ('softmax-before-loss',)
    """
    table = tomllib.loads((CASES / "expected.toml").read_text(encoding="utf-8"))
    there = {str(path.relative_to(CASES)) for path in CASES.glob("*/*.py")}
    if there != set(table):
        raise ValueError(f"only on disk or only in expected.toml: {sorted(there ^ set(table))}")
    found = []
    for key, entry in table.items():
        kind, file = key.split("/")
        names = (entry["name"], *entry.get("also", ())) if kind == "sick" else ()
        case = Case(
            kind, file, names, entry.get("note", ""), tuple(entry.get("flags", ())), entry.get("builder", ""),
            entry.get("twin", ""), (CASES / key).read_text(encoding="utf-8"),
        )  # fmt: skip
        if kind in kinds and re.search(only, " ".join((key, *names, case.note))):
            found.append(case)
    return found
