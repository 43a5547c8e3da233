"""Commands called as a user calls them, in this process: what they print, and what they exit with."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from glassloom.cli.app import run

TINY = (
    *("--width", "8", "--layers", "1", "--steps", "4", "--batch-size", "4", "--sequence-length", "16"),
    *("--eval-every", "2", "--sample-every", "4", "--sample-length", "40", "--threads", "1"),
)
"""A training that takes a moment."""


@dataclass(frozen=True)
class Outcome:
    """What a command left on both streams, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on standard output."""
        return json.loads(self.out, parse_constant=refuse)

    @property
    def lines(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()

    @property
    def notices(self) -> list[str]:
        return [line for line in self.lines if line.startswith("notice: ")]


def refuse(constant: str) -> None:
    """JSON has no NaN and no infinity."""
    raise AssertionError(f"{constant} in JSON")


class Commands:
    """`commands("train", "novel.txt")` runs `glassloom train novel.txt`."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self.captured = captured

    def __call__(self, *arguments: object) -> Outcome:
        self.captured.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = self.captured.readouterr()
        return Outcome(code, out, err)

    def done(self, *arguments: object) -> Outcome:
        """A command that must succeed."""
        outcome = self(*arguments)
        assert outcome.code == 0, outcome.err
        return outcome

    def refused(self, *arguments: object) -> str:
        """A command that must be refused: exit code 2, one line that starts with `error: `, and nothing else.

        The same with `--json` gives the same sentence in its three parts, and with `--debug` a traceback before it.
        """
        outcome = self(*arguments)
        assert outcome.code == 2, outcome
        assert outcome.out == ""
        assert len(outcome.lines) == 1, outcome.err
        assert outcome.lines[0].startswith("error: ")
        said = self(*arguments, "--json")
        assert said.code == 2
        assert said.err == ""
        assert set(said.json) == {"error"}
        parts = said.json["error"]
        assert set(parts) == {"what", "expected", "fix"}
        assert parts["what"]
        assert parts["fix"], "an error says what to do"
        assert all(part.removesuffix(".") in outcome.lines[0] for part in parts.values())
        assert "pydantic" not in outcome.err
        assert "Traceback" not in outcome.err
        assert "Traceback" in self(*arguments, "--debug").err
        return outcome.lines[0].removeprefix("error: ")
