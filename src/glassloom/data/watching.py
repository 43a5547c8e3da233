"""Who is told how far the preparation of a text is, where the caller names nobody: set once around a whole command."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from glassloom.data.sources import Progress

_progress: ContextVar[Progress | None] = ContextVar("progress", default=None)


@contextmanager
def telling(progress: Progress) -> Iterator[None]:
    """Whatever text is prepared in the block tells `progress` what is being done and which fraction of it is."""
    token = _progress.set(progress)
    try:
        yield
    finally:
        _progress.reset(token)


def told() -> Progress | None:
    """Who is told, if anybody."""
    return _progress.get()
