"""What was appended to a file of JSON lines since one looked last; a line that is still being written waits."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any


class Tail:
    """The end of one such file.

    >>> tail = Tail(run.path / "metrics.jsonl")  # doctest: +SKIP
    >>> [record["step"] for record in tail.read()]  # doctest: +SKIP
    [1, 2]
    """

    def __init__(self, path: Path) -> None:
        self._path, self._offset, self._rest = path, 0, b""

    def read(self) -> list[dict[str, Any]]:
        """Every whole line that is new; torn ones are passed over. A file that is not there yet has none."""
        if not self._path.exists():
            return []
        with open(self._path, "rb") as file:
            file.seek(self._offset)
            piece = file.read()
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        records = []
        for line in lines:
            with suppress(ValueError):
                records.append(json.loads(line))
        return [record for record in records if isinstance(record, dict)]
