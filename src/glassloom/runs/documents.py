"""What the files of a run hold: JSON, and lines of JSON that are appended."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from glassloom.errors import RunError
from glassloom.storage import storing

CHECKPOINTS = "checkpoints"


def to_json(value: Any) -> bytes:
    """Readable JSON, UTF-8, without the NaN that JSON does not have."""
    return (json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n").encode()


def read_json(path: Path) -> Any:
    """A JSON file's content.

    Raises:
        RunError: it is not there, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunError(f"{path.parent} has no {path.name}", "a run folder", "name another run") from None
    except (ValueError, OSError) as error:
        raise RunError(f"{path} cannot be read: {error}", "the JSON that glassloom wrote", "name another run") from None


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one JSON line; a line torn by a kill is closed off first, so that it spoils no other."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with storing(path), open(path, "ab+") as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n":
            line = b"\n" + line
        file.write(line)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole JSON line of a file; torn ones are passed over."""
    if not path.exists():
        return []
    records = []
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            records.append(json.loads(line))
    return [record for record in records if isinstance(record, dict)]
