"""How things are printed: results, errors and notices; text from a corpus never moves the terminal's cursor."""

import json
import math
import os
import re
import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Paint:
    """A piece of a line, and how a terminal shows it. `shade` is from -1 (blue) over 0 to 1 (red), behind the text."""

    text: str
    bold: bool = False
    faint: bool = False
    shade: float | None = None


WARM, COOL = (223, 216, 208, 202, 160, 88), (195, 153, 111, 69, 33, 19)
"""Of a terminal's 256 colours, from little to much: above zero, and below."""


def paint(line: Sequence[Paint], *, plain: bool | None = None) -> None:
    """Print one line, made safe; its shades only on a terminal that has colours (https://no-color.org)."""
    if plain is None:
        plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    print("".join(printable(one.text) if plain else painted(one) for one in line), flush=True)


def painted(piece: Paint) -> str:
    """A piece between the escapes that colour it.

    >>> painted(Paint("a", shade=1.0)) == chr(27) + "[48;5;88;38;5;231ma" + chr(27) + "[0m"
    True
    """
    codes = ["1"] * piece.bold + ["2"] * piece.faint
    if piece.shade is not None:
        strong = min(5, int(6 * abs(piece.shade)))
        codes += [f"48;5;{(COOL if piece.shade < 0 else WARM)[strong]}", f"38;5;{231 if strong > 3 else 16}"]
    text = printable(piece.text)
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def aside(text: str) -> None:
    """Print to standard error: what is no result."""
    say(text, file=sys.stderr)


def print_json(value: Any) -> None:
    """One JSON object on one line, on standard output."""
    print(as_json(value), flush=True)


def as_json(value: Any) -> str:
    """JSON without the NaN and infinity that it does not have (they become null), and without control characters.

    >>> as_json({"perplexity": float("inf"), "text": chr(155) + "31m"})
    '{"perplexity": null, "text": "\\\\u009b31m"}'
    """
    only_ascii = "utf" not in (sys.stdout.encoding or "utf-8").lower()
    text = json.dumps(finite(value), ensure_ascii=only_ascii, allow_nan=False, default=str)
    return re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text)


def finite(value: Any) -> Any:
    """The same with None for every number that is not finite."""
    if isinstance(value, Mapping):
        return {name: finite(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def on_one_line(text: str) -> str:
    """Text whose line breaks and tabs are made visible too."""
    return text.replace("\n", "␊").replace("\t", "␉")


def print_error(error: GlassloomError, as_json: bool) -> None:
    """The error as one sentence on standard error or, with `--json`, as an object on standard output."""
    if as_json:
        print_json({"error": error.as_dict()})
    else:
        aside(on_one_line(f"error: {error}"))


def show_notice(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: Any = None
) -> None:
    """A notice is one line on standard error; other warnings are for developers and stay quiet."""
    if issubclass(category, Notice):
        aside(on_one_line(f"notice: {message}"))


def table(rows: list[list[str]], header: list[str], texts: Collection[int] = (0,)) -> str:
    """Plain columns, those of text flush left, those of numbers flush right.

    >>> print(table([["gru", "1.5"], ["transformer", "12.0"]], ["model", "loss"]))
    model        loss
    gru           1.5
    transformer  12.0
    """
    rows = [header, *([on_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    lines = []
    for row in rows:
        cells = [row[i].ljust(widths[i]) if i in texts else row[i].rjust(widths[i]) for i in range(len(header))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Seconds in words: `48 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
