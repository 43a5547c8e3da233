"""The runs of one folder: listed, looked up by name, described. No path is ever made of what a page says.

A name is looked up among those that `list_runs` finds; what is not there is not there. A run that a symbolic link leads
out of the folder, as a whole or in one of its files, does not exist either.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from glassloom.api import describe_run
from glassloom.errors import GlassloomError, RunError, nearest
from glassloom.runs import Run, list_runs

FRESH_SECONDS = 0.5
"""For so long one listing serves all browsers."""
DEEP = 3
"""Folders below a run's that are looked through for links: checkpoints/step-N."""


class RunsFolder:
    """The runs under `root`, which need not exist yet.

    >>> RunsFolder(Path("runs")).find("demo/gru").best().step  # doctest: +SKIP
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._facts: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
        self._listed = -FRESH_SECONDS
        self._describing = threading.Lock()
        self._described: tuple[float, frozenset[str], list[dict[str, Any]]] = (-FRESH_SECONDS, frozenset(), [])

    def runs(self) -> dict[str, Run]:
        """Every run by its name, a path below the folder with slashes; not those that lie outside."""
        with self._lock:
            if time.monotonic() - self._listed >= FRESH_SECONDS:
                within = self.root.resolve()
                self._runs = {
                    run.path.relative_to(self.root).as_posix(): run
                    for run in list_runs(self.root)
                    if run.path.resolve().is_relative_to(within)
                }
                self._facts = {name: facts for name, facts in self._facts.items() if name in self._runs}
                self._listed = time.monotonic()
            return dict(self._runs)

    def find(self, name: Any) -> Run:
        """The run of that name, opened anew (a name may be another run's by now).

        Raises:
            RunError: there is none, or a link in it leads outside.
        """
        known = self.runs()
        if not isinstance(name, str) or name not in known:
            fix = nearest(str(name), known) if known else "train one first"
            raise RunError(f"There is no run {name}", "a run of this folder", fix)
        if leads_outside(known[name].path, self.root):
            raise RunError(
                f"Run {name} has a link that leads out of the folder, or no plain file", "its own files", "copy them in"
            )
        return Run(known[name].path)

    def describe(self, going: Iterable[str] = ()) -> list[dict[str, Any]]:
        """What `describe_run` says of each, and `changed`, seconds since 1970; computed again where files changed.

        `going` names the trainings that are known to run: once one has ended, what was true before is not told again.
        """
        with self._describing:  # several browsers are told the same
            when, then, _ = self._described
            if time.monotonic() - when >= FRESH_SECONDS or then != frozenset(going):
                self._described = time.monotonic(), frozenset(going), self._describe()
            return [dict(facts) for facts in self._described[2]]

    def _describe(self) -> list[dict[str, Any]]:
        found = []
        for name, run in self.runs().items():
            stamp = stamp_of(run.path)
            known = self._facts.get(name)
            if known is None or known[0] != stamp:
                if leads_outside(run.path, self.root):
                    continue
                known = stamp, facts_of(name, run.path, self.root, stamp)
                self._facts[name] = known
            facts = dict(known[1])
            if facts["state"] != "damaged":
                with suppress(GlassloomError, OSError):
                    facts["state"] = run.state()
            found.append(facts)
        return found


def facts_of(name: str, path: Path, root: Path, stamp: tuple[int, ...]) -> dict[str, Any]:
    """A run's facts; of one that vanishes or is damaged meanwhile, that it is damaged.

    Beside what `describe_run` says: `newest_nats`, the loss when it was measured last, for `valid_nats_per_token` is
    the best; and `memorises`, whether both are of the very text that it was trained on.
    """
    facts: dict[str, Any] = dict.fromkeys(("model", "corpus", "step", "valid_nats_per_token", "bytes"))
    facts |= {"state": "damaged", "newest_nats": None, "memorises": False}
    with suppress(GlassloomError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        run = Run(path)
        facts |= describe_run(run, root)
        facts["memorises"] = run.config.data.memorises
        facts["newest_nats"] = run.checkpoints()[0].progress().get("valid_nats")
    facts.pop("path", None)
    return facts | {"name": name, "changed": max(stamp) / 1e9}


def stamp_of(path: Path) -> tuple[int, ...]:
    """When the run's folder, its checkpoints and its settings changed last; 0 for what is not there."""
    found = []
    for part in (path, path / "checkpoints", path / "config.json", path / "corpus.json"):
        try:
            found.append(part.stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


def leads_outside(path: Path, root: Path) -> bool:
    """Whether the folder, or a link anywhere in it, leads out of `root`; or to what is neither file nor folder."""
    within = root.resolve()
    if not path.resolve().is_relative_to(within):
        return True
    return any(not is_ours(Path(one), within) for one in odd_ones_in(path, DEEP))


def is_ours(path: Path, within: Path) -> bool:
    """Whether a link, or what is no plain file, ends at a file or folder inside; a pipe would be waited for."""
    end = path.resolve()
    return end.is_relative_to(within) and (end.is_file() or end.is_dir() or not end.exists())


def odd_ones_in(folder: Path, deep: int) -> Iterator[str]:
    """The symbolic links in a folder and in those below it, and what is neither file nor folder."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if deep:
                    yield from odd_ones_in(Path(entry.path), deep - 1)
            elif not entry.is_file(follow_symlinks=False):
                yield entry.path
