"""Trainings begun from the page: each is `glassloom train` in a process of its own, as a user would type it.

Text that was pasted or uploaded is kept under `texts/` in the folder of runs, named by its SHA-256, for the run reads
it again. A training is stopped by the signal that Ctrl-C sends: it ends its step, saves, and can be gone on with, as
any run can that has stopped or finished. Trainings that somebody else started are shown, never stopped.
"""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassloom.data.corpora import listing
from glassloom.errors import InputError, RunError, SettingError, nearest
from glassloom.models import ARCHITECTURES
from glassloom.report.files import write_whole
from glassloom.runs import Run, check_free, check_name
from glassloom.training.continuing import used

TEXTS = "texts"
MOST_AT_ONCE = 4
LONGEST_MINUTES = 24 * 60.0
MOST_MORE = 1e12
"""Steps, tokens or epochs that are asked for at once."""
KEPT_SECONDS = 600.0
"""So long the page is told how a training ended that left no run."""
SAVING_SECONDS = 30.0
"""So long the studio waits, when it ends, for its trainings to save."""
SAID = 2000
"""Characters of what a training said last."""


@dataclass
class Training:
    """One training on its way, or just ended."""

    name: str
    command: str
    process: "subprocess.Popen[bytes]"
    output: Path
    began: float
    ended: float | None = None
    stopping: bool = False

    def as_dict(self) -> dict[str, Any]:
        """What the page is told."""
        code = self.process.poll()
        told = {"name": self.name, "command": self.command, "running": code is None, "stopping": self.stopping}
        return {**told, "code": code, "said": said(self.output) if code not in (None, 0) else ""}


class Trainings:
    """All trainings that this studio began.

    >>> trainings = Trainings(Path("runs"))  # doctest: +SKIP
    >>> trainings.start({"text": "To be, or not to be ...", "name": "hamlet", "model": "gru", "minutes": 1})["name"]
    ... # doctest: +SKIP
    'hamlet'
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()
        self._trainings: dict[str, Training] = {}
        self._outputs: Path | None = None
        self._begun = 0

    def start(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Begin one: `text` or the name of a listed `corpus`; `name`, `model` (none: chosen), `minutes`.

        Raises:
            InputError: what is asked cannot be done. StorageError: the text cannot be kept.
        """
        name = check_name(str(asked.get("name") or ""))
        model, minutes = asked.get("model") or None, checked_minutes(asked.get("minutes"))
        if model is not None and model not in ARCHITECTURES:
            raise SettingError(
                f"There is no model {model}", ", ".join(ARCHITECTURES), nearest(str(model), ARCHITECTURES)
            )
        with self._lock:
            self._check_room(name)
            check_free(self.root, name)
            arguments = ["train", self._source(asked), "--runs", str(self.root), "--name", name]
            arguments += ["--minutes", f"{minutes:g}", *(["--model", model] if model else [])]
            return self._begin(name, arguments).as_dict()

    def go_on(self, run: Run, asked: dict[str, Any]) -> dict[str, Any]:
        """Go on with a run of the folder that has stopped or finished: `more` of its own budget, whose kind it keeps.

        Raises:
            InputError: what is asked cannot be done. RunError: it is being trained, has diverged, or its text is gone.
        """
        name, state = str(asked.get("name")), run.state()
        with self._lock:
            self._check_room(name)
            if state not in ("interrupted", "finished"):
                doing = "is being trained" if state == "running" else f"has {state}"
                raise RunError(f"{name} {doing}", "a run that has stopped or finished", "choose another run")
            budget = budget_of(run)
            total = budget["used"] + checked_amount(asked.get("more"), budget["name"])
            arguments = ["train", text_of(run), "--runs", str(run.path.parent), "--name", run.path.name, "--resume"]
            arguments += [f"--{budget['name'].replace('_', '-')}", written(total, budget["name"])]
            return self._begin(name, arguments).as_dict()

    def stop(self, name: Any) -> None:
        """Interrupt one as Ctrl-C would.

        Raises:
            RunError: this studio did not begin it, or it has ended.
        """
        with self._lock:
            training = self._trainings.get(name) if isinstance(name, str) else None
            if training is None or training.process.poll() is not None:
                raise RunError(
                    f"{name} is not being trained from this page", "a training begun here", "stop it where it was begun"
                )
            if not training.stopping:  # a second signal would end it without saving
                training.stopping = True
                interrupt(training.process)

    def as_dicts(self) -> list[dict[str, Any]]:
        """Every training that runs, and those that ended a short time ago."""
        with self._lock:
            now = time.monotonic()
            for name, training in list(self._trainings.items()):
                if training.process.poll() is not None:
                    training.ended = training.ended or now
                    if now - training.ended > KEPT_SECONDS:
                        del self._trainings[name]
            return [training.as_dict() for training in self._trainings.values()]

    def close(self) -> None:
        """Interrupt all, and wait until they have saved."""
        with self._lock:
            going = [one for one in self._trainings.values() if one.process.poll() is None]
            for training in going:
                if not training.stopping:
                    training.stopping = True
                    interrupt(training.process)
            deadline = time.monotonic() + SAVING_SECONDS
            for training in going:
                with suppress(subprocess.TimeoutExpired):
                    training.process.wait(max(0.1, deadline - time.monotonic()))
            if self._outputs is not None:
                shutil.rmtree(self._outputs, ignore_errors=True)
                self._outputs = None

    def _check_room(self, name: str) -> None:
        going = [one.name for one in self._trainings.values() if one.process.poll() is None]
        if name in going:
            raise RunError(f"{name} is being trained already", "another name", "choose another, or stop it first")
        if len(going) >= MOST_AT_ONCE:
            raise InputError(
                f"{len(going)} models are being trained", f"at most {MOST_AT_ONCE} at once", "stop one first"
            )

    def _source(self, asked: dict[str, Any]) -> str:
        """The file of the text, or a listed name that needs no download."""
        corpus, text = asked.get("corpus"), asked.get("text")
        if corpus:
            known = [row["name"] for row in at_hand()]
            if corpus not in known:
                raise InputError(f"There is no text {corpus} here", "one that is listed", nearest(str(corpus), known))
            return str(corpus)
        if not isinstance(text, str) or not text.strip():
            raise InputError("There is no text to learn from", "some thousand characters", "paste or upload a text")
        content = text.encode("utf-8", "replace")
        path = self.root / TEXTS / f"{hashlib.sha256(content).hexdigest()[:16]}.txt"
        if not path.parent.resolve().is_relative_to(self.root.resolve()):
            raise InputError(f"{path.parent} leads out of the folder of runs", "a folder in it", "remove the link")
        if not path.is_file() or path.is_symlink() or path.read_bytes() != content:
            write_whole(path, content)
        return str(path)

    def _begin(self, name: str, arguments: list[str]) -> Training:
        self._outputs = self._outputs or Path(tempfile.mkdtemp(prefix="glassloom-studio-"))
        self._begun += 1
        output = self._outputs / f"{self._begun}.txt"
        with open(output, "wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "glassloom", *arguments],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=file,
                start_new_session=True,  # Ctrl-C in the terminal is the studio's, which then stops its trainings once
            )  # fmt: skip
        command = shlex.join(["glassloom", *arguments])
        training = Training(name, command, process, output, time.monotonic())
        self._trainings[name] = training
        return training


def interrupt(process: "subprocess.Popen[bytes]") -> None:
    """What Ctrl-C does to a process; on Windows, which has no such signal, it is ended, and its checkpoints stay."""
    with suppress(ProcessLookupError):
        if os.name == "nt":
            process.terminate()
        else:
            process.send_signal(signal.SIGINT)


def said(output: Path) -> str:
    """The last line that a training said: of one that failed, why."""
    with suppress(OSError):
        lines = output.read_bytes().decode("utf-8", "replace").replace("\r", "\n").strip().split("\n")
        errors = [line for line in lines if line.startswith("error: ")] or lines
        return errors[-1].removeprefix("error: ")[-SAID:]
    return ""


def checked_minutes(given: Any) -> float:
    """Minutes to train.

    Raises:
        SettingError: no number, or out of bounds.
    """
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given <= LONGEST_MINUTES:
        return float(given)
    raise SettingError(f"minutes cannot be {given!r}", f"above 0, at most {LONGEST_MINUTES:g}", "choose another time")


def checked_amount(given: Any, budget: str) -> float:
    """How much more of a budget.

    Raises:
        SettingError: no number, or out of bounds.
    """
    if budget == "minutes":
        return checked_minutes(given)
    number = isinstance(given, (int, float)) and not isinstance(given, bool) and 0 < given <= MOST_MORE
    if not number or (budget != "epochs" and given != int(given)):
        whole = "" if budget == "epochs" else "a whole number "
        raise SettingError(f"{given!r} more {budget.replace('_', ' ')} cannot be", f"{whole}above 0", "choose another")
    return float(given)


def budget_of(run: Run) -> dict[str, Any]:
    """The kind of a run's budget, how much of it there is, and how much is used.

    Raises:
        RunError: the run is damaged.
    """
    name, amount = run.config.train.budget()
    return {"name": name, "amount": amount, "used": used(run, name)}


def written(amount: float, budget: str) -> str:
    """An amount of a budget as the command line takes it.

    >>> written(1200.0, "steps"), written(0.5, "minutes")
    ('1200', '0.5')
    """
    return f"{amount:.8g}" if budget in ("minutes", "epochs") else str(round(amount))


def text_of(run: Run) -> str:
    """The text of a run, as its command named it; never what a command would take for a flag, nor what must be fetched.

    Raises:
        RunError: it is not on this machine.
    """
    source = str(run.corpus.get("language") or run.corpus["source"])
    path = Path(source)
    there = source in [row["name"] for row in at_hand()] or path.is_file() or path.is_dir()
    if source.startswith("-") or not there:
        raise RunError(
            f"The text of {run.name} is not at hand ({source})", "the text that it was begun with, where it was",
            "put it back, or go on in a terminal",
        )  # fmt: skip
    return source


def at_hand() -> list[dict[str, Any]]:
    """The listed texts that need no download."""
    return [row for row in listing() if row["at_hand"]]
