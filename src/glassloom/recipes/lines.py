"""On which line of a TOML file a key stands: its parser tells values, not places."""

import re
from collections.abc import Sequence
from typing import Any


def line_of(text: str, path: Sequence[Any]) -> int | None:
    """The line, counted from 1, of the key that a path of keys and list places leads to; None where it is not found.

    Goes along the path: a table's header, the n-th of an array of tables, the n-th inline table after `runs =`, then
    the key.

    >>> text = 'name = "x"\\n[[part]]\\nruns = [\\n  { id = "a", lr = 1 },\\n  { id = "b", rl = 1 },\\n]'
    >>> line_of(text, ["part", 0, "runs", 1, "rl"])
    5
    """
    place, end = 0, len(text)
    for step, key in enumerate(path):
        if isinstance(key, int):
            continue
        number = path[step + 1] if step + 1 < len(path) and isinstance(path[step + 1], int) else None
        header = rf"^[ \t]*\[\[?[ \t]*(?:[\w-]+\.)*{re.escape(str(key))}[ \t]*\]\]?"
        headers = [found.start() for found in re.finditer(header, text[place:end], re.MULTILINE)]
        if headers:
            chosen = min(number or 0, len(headers) - 1)
            after = headers[chosen + 1] if chosen + 1 < len(headers) else end - place
            place, end = place + headers[chosen], place + after
            continue
        found = re.search(rf"(?<![\w-])\"?{re.escape(str(key))}\"?[ \t]*=", text[place:end])
        if found is None:
            return text.count("\n", 0, place) + 1 if place else None
        place += found.start()
        if number is not None:
            tables = [match.start() for match in re.finditer(r"\{", text[place:end])]
            if len(tables) > number:
                place += tables[number]
    return text.count("\n", 0, place) + 1
