"""Files written whole or not at all: into a temporary file beside, then renamed."""

import contextlib
import os
import tempfile
from pathlib import Path

from glassloom.errors import StorageError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that a reader sees the old one or the new one, never half of one.

    Raises StorageError where the disk is full or the folder cannot be written.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    name = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=path.suffix)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_mask())
        os.replace(name, path)
    except OSError as error:
        if name:
            with contextlib.suppress(OSError):
                os.unlink(name)
        reason = error.strerror or str(error)
        fix = "free some space or choose another folder"
        raise StorageError(f"{path} could not be written: {reason}", "a folder with space to write", fix) from error


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
