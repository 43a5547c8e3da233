"""Where an export lands: a folder, there whole or not at all, that replaces nothing but an earlier export."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassloom.errors import InputError
from glassloom.runs import Run
from glassloom.storage import new_folder


@contextmanager
def writing_folder(run: Run, out: str | Path | None, name: str, marker: str) -> Iterator[tuple[Path, Path]]:
    """A temporary folder to write into, and the one that it becomes: `out`, or `name` in the run's folder.

    A folder that is there and not empty is replaced only where it is such an export itself: it holds the file `marker`
    and a README.md that names Glassloom.

    Raises:
        InputError: something else is there.
        StorageError: it cannot be written.
    """
    final = run.path / name if out is None else Path(out)
    if final.is_dir() and any(final.iterdir()) and not is_export(final, marker):
        raise InputError(
            f"{final} is there already and is no earlier export",
            "a new folder, an empty one, or an earlier export",
            "choose another with --out",
        )
    with new_folder(final, "--out") as folder:
        yield folder, final


def is_export(folder: Path, marker: str) -> bool:
    """Whether a folder is what an earlier export left."""
    card = folder / "README.md"
    try:
        return (folder / marker).is_file() and "- glassloom\n" in card.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return False
