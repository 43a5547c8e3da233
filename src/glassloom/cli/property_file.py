"""A property of one's own for `units`: a function in a Python file of the user's, run only when it is named."""

import runpy
from collections.abc import Callable, Sequence
from pathlib import Path

from glassloom.errors import InputError, nearest


def function_in(named: str) -> Callable[[str], Sequence[float]]:
    """The function that `FILE.py:NAME` names: of a whole text, one number a character. The file is run.

    Raises:
        InputError: there is no such file or function, or the file cannot be run.
    """
    path, colon, name = named.rpartition(":")
    if not colon or not path or not name.isidentifier():
        raise InputError(
            f"{named!r} names no function", "a file and a function in it, as mine.py:sentences", "write it so"
        )
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}", "a Python file of your own", "check the path")
    try:
        found = runpy.run_path(path)
    except Exception as error:  # whatever the user's own code raises
        raise InputError(
            f"{path} could not be run: {type(error).__name__}: {error}", "a file that Python runs", "mend it"
        ) from error
    if not callable(found.get(name)):
        known = [one for one, value in found.items() if callable(value) and not one.startswith("_")]
        choice = nearest(name, known) if known else f"write def {name}(text) into it"
        raise InputError(f"{path} has no function {name}", ", ".join(known) or "a function", choice)
    function: Callable[[str], Sequence[float]] = found[name]
    return function
