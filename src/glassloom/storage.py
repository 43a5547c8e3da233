"""Files and folders that are whole or not there: write beside, fsync, rename, fsync the parent."""

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from glassloom.errors import StorageError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
UNWRITABLE = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOENT),
    *(errno.ENAMETOOLONG, errno.ENOTEMPTY, errno.EBUSY, errno.EIO, errno.EMFILE, errno.EINVAL),
}
RUNS = "--runs or --out"
"""How another place for runs and reports is chosen."""

TEMPORARY = ".tmp-"


@contextmanager
def storing(place: Path, elsewhere: str = RUNS) -> Iterator[None]:
    """Turn the system's refusals to write into one sentence; what was there before stays.

    Raises:
        StorageError: the disk is full, or the place cannot be written; `elsewhere` says how another one is chosen.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise StorageError(
                f"No room left on the disk while writing {place}",
                "free space",
                f"free some and go on (a run with --resume), or choose another disk with {elsewhere}",
            ) from error
        if error.errno not in UNWRITABLE:
            raise
        raise StorageError(
            f"{place} cannot be written: {error.strerror}",
            "a folder that can be written",
            f"choose another with {elsewhere}",
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


def replace_file(path: Path, content: bytes, elsewhere: str = RUNS) -> None:
    """Write a file so that a reader sees the old or the new one, never half of it."""
    beside = path.with_name(f"{TEMPORARY}{path.name}-{uuid4().hex[:8]}")
    with storing(path, elsewhere):
        try:
            write_durably(beside, content)
            os.replace(beside, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                beside.unlink()
            raise


@contextmanager
def new_folder(path: Path, elsewhere: str = RUNS) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well, and vanishes when it does not.

    What `path` was before is moved aside only then, and deleted last: half-deleted it never bears that name.
    """
    beside, old = (path.with_name(f"{TEMPORARY}{path.name}-{uuid4().hex[:8]}") for _ in range(2))
    with storing(path, elsewhere):
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


def bytes_in(folder: Path) -> int:
    """The size of all files in a folder and below; what vanishes meanwhile counts nothing."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total
