"""Files that are whole or not there: write beside, fsync, rename, fsync the parent."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from glassloom.errors import RunError, StorageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
TEMPORARY = ".tmp-"
CHECKPOINTS = "checkpoints"


@contextmanager
def storing(place: Path) -> Iterator[None]:
    """Turn the system's refusals to write into one sentence; what was there before stays.

    Raises:
        StorageError: the disk is full, or the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageError(
                f"No room left on the disk while writing {place}", "free space", "free some, then go on with --resume"
            ) from error
        reason = error.strerror or str(error)
        raise StorageError(
            f"{place} cannot be written: {reason}",
            "a folder that can be written",
            "choose another with --runs or --out",
        ) from error


def write_durably(path: Path, content: bytes) -> None:
    """Write a file and wait until the disk has it."""
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the folder's entries (a rename is durable only then)."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees the old or the new one, never half of it."""
    beside = path.with_name(f"{TEMPORARY}{path.name}-{uuid4().hex[:8]}")
    with storing(path):
        try:
            write_durably(beside, content)
            os.replace(beside, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well, and vanishes when it does not.

    What `path` was before is moved aside only then, and deleted last: half-deleted it never bears that name.
    """
    beside, old = (path.with_name(f"{TEMPORARY}{path.name}-{uuid4().hex[:8]}") for _ in range(2))
    with storing(path):
        try:
            beside.mkdir()
            yield beside
            sync_folder(beside)
            if path.exists():
                os.rename(path, old)
            os.rename(beside, path)
            sync_folder(path.parent)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    shutil.rmtree(old, ignore_errors=True)


def sweep(folder: Path, name: str = "*", older_than_seconds: float = 0.0) -> None:
    """Delete what writers that were killed left half-made; of one name only, where it is given."""
    for left in folder.glob(f"{TEMPORARY}{name}-????????"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime >= older_than_seconds:
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file, which is never in memory as a whole."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
