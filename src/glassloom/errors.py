"""The exception tree, and notices.

    GlassloomError                  every error a user can cause; one sentence, an exit code
    ├── InputError          (2)     something that was given cannot be used
    │   ├── SettingError            an unknown setting, or a value out of its bounds
    │   ├── CorpusError             a text that cannot be read, or is too small
    │   ├── TokenizerError          a symbol or a tokenizer that does not fit
    │   └── RunError                a run that is unknown, exists already, is in use, or is damaged
    ├── StorageError        (2)     the disk is full, or the folder cannot be written
    ├── WorkerError         (3)     one of several processes that train together is gone; the last checkpoint stays
    └── TrainingError       (1)     training stopped: not finite, or diverged

Every one says what happened, what was expected, and what to do. `assert` is for our own mistakes.
A `Notice` is a warning about what can be used after all (a byte-order mark, an older checkpoint): one line.
"""

import difflib
import warnings
from collections.abc import Iterable

LISTED = 12
"""How many names an error lists at most."""


class GlassloomError(Exception):
    """What happened, what was expected, and what to do.

    >>> str(InputError("The file a.txt is empty.", "some text", "give another file"))
    'The file a.txt is empty. Expected: some text. To do: give another file.'
    >>> str(InputError("There is no model gruu", fix="did you mean gru?"))
    'There is no model gruu; did you mean gru?'
    """

    exit_code = 1
    is_told = False
    """Whether another process raised it, which says it, too."""

    def __init__(self, what: str, expected: str = "", fix: str = "") -> None:
        self.what, self.expected, self.fix = what, expected, fix
        parts = [sentence(what)]
        if expected:
            parts.append(f"Expected: {sentence(expected)}")
        if fix.endswith("?"):
            parts[-1] = f"{parts[-1].removesuffix('.')}; {fix}"
        elif fix:
            parts.append(f"To do: {sentence(fix)}")
        super().__init__(" ".join(parts))

    def as_dict(self) -> dict[str, str]:
        """The three parts, as `--json` prints them under `error`."""
        return {"what": self.what, "expected": self.expected, "fix": self.fix}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.what, self.expected, self.fix)


class InputError(GlassloomError):
    """Something that was given cannot be used."""

    exit_code = 2


class SettingError(InputError):
    """An unknown setting, an unknown value, or a value out of its bounds."""


class CorpusError(InputError):
    """A text that is missing, cannot be read, or is too small."""


class TokenizerError(InputError):
    """A symbol or a tokenizer that does not fit."""


class RunError(InputError):
    """A run that is unknown, exists already, is in use, or is damaged."""


class StorageError(GlassloomError):
    """The disk is full, or the folder cannot be written."""

    exit_code = 2


class WorkerError(GlassloomError):
    """One of several processes that train together is gone, or was never met; the last checkpoint stays."""

    exit_code = 3


class TrainingError(GlassloomError):
    """Training stopped: a quantity was not finite, or the loss diverged."""


class Notice(UserWarning):
    """One line about something unexpected that could be used after all."""


def notice(text: str) -> None:
    """Say one line and go on; a command prints it, Python code sees a warning."""
    warnings.warn(text, Notice, stacklevel=3)


def sentence(text: str) -> str:
    """The text, ended by exactly one full stop."""
    return text if text.endswith((".", "?", "!")) else text + "."


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name nearest to a misspelt one, for a fix: `did you mean gru?`, or the list of all names.

    >>> nearest("gruu", ["rnn", "gru"])
    'did you mean gru?'
    """
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    more = f" and {len(known) - LISTED:,} more" if len(known) > LISTED else ""
    return f"choose one of {', '.join(known[:LISTED])}{more}"
