"""How things are printed: results, errors and notices; text from a corpus never moves the terminal's cursor."""

import json
import sys
import unicodedata
from typing import Any, TextIO

from glassloom.errors import GlassloomError, Notice


def printable(text: str) -> str:
    """Text that is safe on a terminal: control characters become visible signs, line breaks and tabs stay.

    >>> printable("a" + chr(27) + "[31m")
    'a␛[31m'
    """
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else sign(c) for c in text)


def sign(character: str) -> str:
    """A control character's own picture (U+2400 and on), or its number."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else f"\\x{code:02x}"


def say(text: str = "", *, file: TextIO | None = None, end: str = "\n") -> None:
    """Print text, made safe."""
    print(printable(text), file=file or sys.stdout, end=end, flush=True)


def aside(text: str) -> None:
    """Print to standard error: what is no result."""
    say(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON object on one line, on standard output."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str), flush=True)


def print_error(error: GlassloomError, as_json: bool) -> None:
    """The error as one sentence on standard error or, with `--json`, as an object on standard output."""
    if as_json:
        print_json({"error": error.as_dict()})
    else:
        aside(f"error: {error}")


def show_notice(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """A notice is one line on standard error; other warnings are for developers and stay quiet."""
    if issubclass(category, Notice):
        aside(f"notice: {message}")


def table(rows: list[list[str]], header: list[str]) -> str:
    """Plain columns, the first flush left, the others flush right."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds in words: `48 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
