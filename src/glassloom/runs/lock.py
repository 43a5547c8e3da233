"""One writer a run: a lock that a killed process releases; a second one is told who holds it."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from glassloom.errors import RunError
from glassloom.runs.documents import CHECKPOINTS, to_json
from glassloom.storage import replace_file, storing, sweep

LOCK, HOLDER = ".lock", ".holder.json"
PATIENCE_SECONDS = 0.3


@contextmanager
def writing(run: Path) -> Iterator[None]:
    """Hold the run's lock while the block runs; what a killed writer left half-made goes first.

    Raises:
        RunError: another process holds it.
    """
    lock = FileLock(run / LOCK)
    with storing(run):
        try:
            lock.acquire(timeout=PATIENCE_SECONDS)  # whoever only looks holds it for a moment, too
        except Timeout:
            raise RunError(
                f"Run {run.name} is in use by {holder(run)}",
                "one writer at a time",
                "wait for it, stop it, or choose another --name",
            ) from None
    try:
        sweep(run / CHECKPOINTS)
        sweep(run, older_than_seconds=60)  # a report may be on its way in, which needs no lock
        who = {"pid": os.getpid(), "host": socket.gethostname(), "since": datetime.now().isoformat(timespec="seconds")}
        replace_file(run / HOLDER, to_json(who))
        yield
    finally:
        with suppress(OSError):
            (run / HOLDER).unlink()
        lock.release()


def is_locked(run: Path) -> bool:
    """Whether some process is writing the run at this moment."""
    if not (run / LOCK).exists():
        return False
    lock = FileLock(run / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a run that this user may only read
        return (run / HOLDER).exists()
    lock.release()
    return False


def holder(run: Path) -> str:
    """Who holds the lock, in words."""
    with suppress(OSError, ValueError, KeyError):
        who = json.loads((run / HOLDER).read_bytes())
        return f"process {who['pid']} on {who['host']} since {who['since']}"
    return "another process"
