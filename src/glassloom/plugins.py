"""What other packages add: architectures, tokenizers, languages, views, checks of the doctor; one mechanism for all.

An installed package names what it adds in its pyproject.toml, in the group of its kind:

    [project.entry-points."glassloom.architectures"]
    mingru = "outsider.architecture:MinGRU"

It is imported when a catalogue of that kind is first read. What cannot be used is left out with one line of notice, and
everything else goes on; a name that is there already is never taken away from its owner. `glassloom.add` does the same
for the process that calls it. Nothing else is looked for: no folder is searched, and no run folder names code.
"""

import hashlib
import inspect
import re
import sys
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from glassloom.errors import GlassloomError, SettingError, notice

Entry = TypeVar("Entry")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
HERE = "glassloom.add"
"""Who added what this process added itself."""


@dataclass(frozen=True)
class Addition(Generic[Entry]):
    """One thing that was added: its entry in the catalogue, the object itself, and the package that it is from."""

    entry: Entry
    what: Any
    owner: str


class Catalogue(Mapping[str, Entry]):
    """What there is of one kind, by name: Glassloom's own in their order, then what packages added.

    `take(name, what)` makes an entry of what a package names, or raises with a sentence.

    >>> catalogue = Catalogue("number", {"one": 1}, lambda name, what: int(what))
    >>> catalogue.add("two", "2")
    >>> dict(catalogue), catalogue.own, catalogue.owner("two")
    ({'one': 1, 'two': 2}, ('one',), 'glassloom.add')
    """

    def __init__(self, kind: str, own: Mapping[str, Entry], take: Callable[[str, Any], Entry]) -> None:
        self.kind, self._own, self._take = kind, dict(own), take
        self._added: dict[str, Addition[Entry]] = {}
        self._is_looked_for = False
        self._lock = threading.RLock()

    # -- as a mapping

    def __getitem__(self, name: str) -> Entry:
        return self._own[name] if name in self._own else self._others()[name].entry

    def __contains__(self, name: object) -> bool:
        return name in self._own or name in self._others()

    def __iter__(self) -> Iterator[str]:
        return iter([*self._own, *self._others()])

    def __len__(self) -> int:
        return len(self._own) + len(self._others())

    # -- what was added

    @property
    def own(self) -> tuple[str, ...]:
        """The names that Glassloom has by itself."""
        return tuple(self._own)

    @property
    def added(self) -> dict[str, Entry]:
        """The entries that others added."""
        return {name: one.entry for name, one in self._others().items()}

    def owner(self, name: str) -> str:
        """The package that added a name, with its version; empty for Glassloom's own."""
        return "" if name in self._own else self._others()[name].owner

    def code(self, name: str) -> list[str]:
        """What changes with the code of an addition, for keys of a cache; nothing for Glassloom's own.

        Its file's hash; something new each time where there is no file.
        """
        return [] if name in self._own else [source_hash(self._others()[name].what)]

    def add(self, name: str, what: Any) -> None:
        """Add one thing in this process; what was added so may be replaced, so that a notebook's cell can run again.

        Raises:
            SettingError: the name is taken or cannot be one, or the thing is not of this kind.
        """
        with self._lock:
            taken = name in self and self.owner(name) != HERE
            if taken or not NAME.fullmatch(name):
                raise SettingError(*self._refused(name, taken))
            try:
                entry = self._take(name, what)
            except GlassloomError as error:
                raise SettingError(
                    f"This cannot be the {self.kind} {name}: {reason(error)}", error.expected, error.fix
                ) from error
            self._added[name] = Addition(entry, what, HERE)

    def leave_out(self, name: str, why: str) -> None:
        """Forget an addition that turned out not to fit, with a notice."""
        with self._lock:
            gone = self._others().pop(name)
        notice(f"The {self.kind} {name} of {gone.owner} is left out: {why}")

    def look_again(self) -> None:
        """Forget everything that was added; packages are looked through again when the catalogue is next read."""
        with self._lock:
            self._added, self._is_looked_for = {}, False

    def _others(self) -> dict[str, Addition[Entry]]:
        if not self._is_looked_for:
            with self._lock:
                if not self._is_looked_for:
                    self._is_looked_for = True  # first, for what is imported now may read the catalogue itself
                    for line in self._found():
                        notice(line)
        return self._added

    def _found(self) -> list[str]:
        """Take in what installed packages name; the lines about what cannot be used."""
        lines = []
        for point in sorted(named_by_packages(self.kind), key=lambda point: (owner_of(point), point.name)):
            owner, name, taken = owner_of(point), point.name, point.name in self._own or point.name in self._added
            if taken or not NAME.fullmatch(name):
                what, *_ = self._refused(name, taken)
                lines.append(f"{what}. What {owner} adds under it is left out.")
                continue
            try:
                what = point.load()
                self._added[name] = Addition(self._take(name, what), what, owner)
            except (Exception, SystemExit) as error:
                lines.append(f"The {self.kind} {name} of {owner} cannot be used and is left out: {reason(error)}")
        return lines

    @property
    def _one(self) -> str:
        """`a view`, `an architecture`."""
        return f"{'an' if self.kind[0] in 'aeio' else 'a'} {self.kind}"

    def _refused(self, name: str, taken: bool) -> tuple[str, str, str]:
        """Why a name cannot be given, what was expected, what to do."""
        if not taken:
            expected = "small letters, digits, points, hyphens and underscores"
            return f"{name!r} cannot be the name of {self._one}", expected, "choose another name"
        owner = "Glassloom" if name in self._own else self._added[name].owner
        return (
            f"The name {name} is taken: {owner} has {self._one} of that name",
            "a name of its own",
            "choose another",
        )


def named_by_packages(kind: str) -> Iterable[EntryPoint]:
    """What installed packages name as being of a kind."""
    return entry_points(group=group(kind))


def group(kind: str) -> str:
    """The group of entry points of a kind.

    >>> group("language")
    'glassloom.languages'
    """
    return f"glassloom.{kind}s"


def owner_of(point: EntryPoint) -> str:
    """The package of an entry point, with its version."""
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def reason(error: BaseException) -> str:
    """Why something cannot be used, in one line."""
    if isinstance(error, GlassloomError):
        return error.what
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def source_hash(what: Any) -> str:
    """The SHA-256 of the file that something was defined in; a new number each time where there is none."""
    module = sys.modules.get(what.__module__ if hasattr(what, "__module__") else type(what).__module__)
    try:
        return hashlib.sha256(inspect.getsource(module).encode()).hexdigest()  # type: ignore[arg-type]
    except (OSError, TypeError):
        return uuid.uuid4().hex
