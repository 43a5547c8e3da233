"""The files of a listed corpus: found in GLASSLOOM_DATA or in the cache, else downloaded and checked."""

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glassloom.data.derive import Fetch, Files
from glassloom.data.sources import Progress
from glassloom.data.store import cache_folder, locked, storing
from glassloom.errors import CorpusError
from glassloom.storage import file_sha256

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class TextFile:
    """A file of a listed corpus: its path in the data folder, size, SHA-256, and the split it is, if any.

    An `exact` file is refused when it differs; one that is prepared from its source is used, with a notice. Size and
    SHA-256 are None where only the archive that the file comes from has a published checksum (`Download.checksum`).
    """

    path: str
    bytes: int | None
    sha256: str | None
    split: str | None = None
    exact: bool = True


@dataclass(frozen=True)
class Download:
    """Where the files come from, and how they are made of what is there."""

    address: str
    obtain: Callable[[Fetch], Files]
    exact: bool = False
    """Whether the address gives the one file itself, so that its hash is known before it is unpacked."""
    bytes: int | None = None
    """The size of what the address gives, where that is published."""
    checksum: str | None = None
    """What the address gives is checked by this before it is unpacked: an algorithm and a sum, as in `md5:9e107d9d...`.
    For archives whose publisher gives another sum than SHA-256."""


def data_folders(cache: Path | None) -> list[Path]:
    """Where files are looked for, in this order: GLASSLOOM_DATA, then the cache."""
    named = os.environ.get("GLASSLOOM_DATA")
    return [*([Path(named)] if named else []), cache_folder(cache) / "texts"]


def find_files(files: tuple[TextFile, ...], cache: Path | None) -> list[Path] | None:
    """The folder's paths of the files where all of them are in one folder; None where they are in none."""
    for folder in data_folders(cache):
        paths = [folder / file.path for file in files]
        if all(path.is_file() for path in paths):
            return paths
    return None


def find_or_download(
    name: str, files: tuple[TextFile, ...], download: Download, cache: Path | None, progress: Progress | None
) -> tuple[list[Path], list[str]]:
    """The paths of a corpus's files, and notices about those that differ from the listed ones.

    Raises CorpusError for an exact file that differs, and, naming what to put where, for a download that failed.
    """
    paths = find_files(files, cache)
    if paths is None:
        place = cache_folder(cache) / "texts"
        with locked(cache_folder(cache) / "locks", f"download-{name}"):
            if find_files(files, cache) is None:
                save(fetch_files(name, files, download, place, progress), place)
        paths = [place / file.path for file in files]
    notices = []
    for file, path in zip(files, paths, strict=True):
        if file.sha256 is None or file.bytes is None:
            continue
        size, digest = path.stat().st_size, file_sha256(path)
        if (size, digest) == (file.bytes, file.sha256):
            continue
        if file.exact:
            raise different(file, str(path), size, digest)
        notices.append(
            f"{file.path} differs from the listed text ({size:,} bytes instead of {file.bytes:,}; "
            f"SHA-256 {digest[:12]}... instead of {file.sha256[:12]}...); it was used as it is."
        )
    return paths, notices


def different(file: TextFile, where: str, size: int, digest: str) -> CorpusError:
    """The error for a file that is not the listed one, whose size and SHA-256 are known."""
    assert file.bytes is not None
    return CorpusError(
        f"{where} is not the {file.path} that is listed: {size:,} bytes with SHA-256 {digest}",
        f"{file.bytes:,} bytes with SHA-256 {file.sha256}",
        "delete it, so that it is downloaded again, or give its path to use it as a text of your own",
    )


def fetch_files(
    name: str, files: tuple[TextFile, ...], download: Download, place: Path, progress: Progress | None
) -> Files:
    """Download and make all files. Raises CorpusError that says what to put where."""
    shown = ", ".join(file.path for file in files)
    where_to = (
        f"put {shown} into {place}, or into a folder that the variable GLASSLOOM_DATA names; "
        f"the text comes from {download.address}"
    )
    with storing(place):
        place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="glassloom-") as folder:

        def fetch(relative: str) -> bytes:
            known = f"sha256:{files[0].sha256}" if download.exact else download.checksum
            return get(download.address + relative, Path(folder), known, name, progress)

        try:
            made = download.obtain(fetch)
        except CorpusError as error:
            raise CorpusError(error.what, error.expected or "the files of the corpus", where_to) from None
    for file in files:
        digest = hashlib.sha256(made[file.path]).hexdigest()
        if file.exact and file.sha256 is not None and digest != file.sha256:
            wrong = different(file, f"What {download.address} gave", len(made[file.path]), digest)
            raise CorpusError(wrong.what, wrong.expected, where_to)
    return {file.path: made[file.path] for file in files}


def get(address: str, folder: Path, known: str | None, name: str, progress: Progress | None) -> bytes:
    """The bytes at an address, by pooch; CorpusError where they cannot be had whole."""
    import logging

    import pooch
    import requests

    algorithm = {"sha256": "SHA-256", "md5": "MD5"}.get((known or "").partition(":")[0], "checksum")
    pooch.get_logger().setLevel(logging.WARNING)
    bar = Bar(f"downloading {name}", progress) if progress is not None else False
    downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT_SECONDS)
    try:
        path = pooch.retrieve(address, known, fname="download", path=folder, downloader=downloader)
        data = Path(path).read_bytes()
        Path(path).unlink()
        return data
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else "an error"
        raise CorpusError(f"{name} could not be downloaded: {address} answered {status}") from None
    except (requests.exceptions.ConnectTimeout, requests.exceptions.ReadTimeout):
        raise CorpusError(f"{name} could not be downloaded: {address} did not answer in time") from None
    except requests.exceptions.ChunkedEncodingError:
        raise CorpusError(f"{name} could not be downloaded: the download from {address} broke off") from None
    except requests.exceptions.RequestException:
        raise CorpusError(
            f"{name} is not on this machine and could not be downloaded: {address} cannot be reached"
        ) from None
    except ValueError:
        raise CorpusError(f"{name} could not be downloaded: what {address} gave has another {algorithm}") from None


class Bar:
    """What pooch wants of a progress bar, told on to a progress callback."""

    def __init__(self, doing: str, progress: Progress) -> None:
        self.doing, self.progress = doing, progress
        self.total, self.done = 0, 0

    def update(self, amount: int) -> None:
        self.done += amount
        self.progress(self.doing, min(self.done / self.total, 1.0) if self.total else 0.0)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        """Nothing is held open."""


def save(made: Files, place: Path) -> None:
    """Write the files into the cache, each whole or not at all."""
    for path, data in made.items():
        target = place / path
        with storing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
            with os.fdopen(number, "wb") as file:
                file.write(data)
            os.replace(name, target)
