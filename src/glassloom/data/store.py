"""The cache on disk: prepared corpora, downloads, and what is known about texts seen before.

Everything appears whole or not at all: it is written beside and renamed into place, under a lock that a killed process
releases. A prepared corpus is checked by size and SHA-256 whenever it is opened, and made anew where it is damaged.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from filelock import FileLock

from glassloom import storage
from glassloom.storage import file_sha256

FACTS = "facts.json"
DAY_SECONDS = 24 * 60 * 60
CACHE = "GLASSLOOM_CACHE"
"""How another place for prepared texts is chosen."""


def cache_folder(given: Path | None = None) -> Path:
    """The folder of the cache: the one given, else GLASSLOOM_CACHE, else the user's cache folder."""
    if given is not None:
        return Path(given)
    if named := os.environ.get("GLASSLOOM_CACHE"):
        return Path(named)
    import platformdirs

    return Path(platformdirs.user_cache_dir("glassloom", appauthor=False))


def storing(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn an error of writing into a StorageError that says how another cache is chosen."""
    return storage.storing(path, CACHE)


def temporary_file() -> IO[bytes]:
    """A file for what can be read only once; it goes when it is closed or forgotten."""
    return tempfile.NamedTemporaryFile(prefix="glassloom-")


@contextlib.contextmanager
def locked(folder: Path, name: str) -> Iterator[None]:
    """Only one process at a time; the lock goes with the process."""
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{name}.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of `target` at once; after an error nothing is left of it."""
    with storing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    storage.sweep(target.parent, older_than_seconds=DAY_SECONDS)
    with storage.new_folder(target, CACHE) as filling:
        yield filling


def write_json(path: Path, data: Any) -> None:
    """A JSON file, whole or not at all."""
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    storage.replace_file(path, json.dumps(data, ensure_ascii=True, indent=1).encode(), CACHE)


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file; None where there is none or it is damaged."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data if isinstance(data, dict) else None


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write the facts of a prepared corpus, with the size and hash of every file beside them."""
    files = {path.name: [path.stat().st_size, file_sha256(path)] for path in sorted(folder.iterdir())}
    facts = {**facts, "files": files}
    with storing(folder):
        text = json.dumps({**facts, "sha256_of_facts": facts_sha256(facts)}, indent=1)
        (folder / FACTS).write_text(text, encoding="utf-8")


def facts_sha256(facts: dict[str, Any]) -> str:
    """The hash of the facts themselves, in one form only."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def sealed_facts(folder: Path) -> dict[str, Any] | None:
    """The facts of a prepared corpus whose files are all as they were sealed; None where any is not."""
    facts = read_json(folder / FACTS)
    if facts is None or facts.pop("sha256_of_facts", None) != facts_sha256(facts):
        return None
    try:
        for name, (size, digest) in facts["files"].items():
            path = folder / Path(name).name
            if path.stat().st_size != size or file_sha256(path) != digest:
                return None
    except OSError:
        return None
    return facts
