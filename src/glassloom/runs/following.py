"""A run's metrics as they grow: every line is read once, and what a resume took back is taken back here too.

For whoever looks again and again while the run is training. A line that is still being written waits until it is
whole; a run that was begun anew under the same name is read anew.
"""

import math
import os
import threading
import time
from array import array
from pathlib import Path
from typing import Any, BinaryIO

from pydantic_core import from_json

from glassloom.runs.run import METRICS, Run

PIECE = 2**20
"""So many bytes are read at once."""
HEAD = 256
"""By its first bytes a file that was begun anew is known, also where it is longer already."""
LARGEST = 1e300
"""Every number of a curve is below; NaN is not."""
COLUMNS = ("step", "epoch", "tokens", "seconds", "nats")
CURVES = {"train": ("train", "train_nats"), "evaluation": ("valid", "valid_nats")}
"""By a record's event: the curve that it belongs to, and the field of its loss."""


class Curve:
    """One curve's columns, as many numbers in each: step, epoch, tokens, seconds, nats a token."""

    def __init__(self) -> None:
        self.columns = {name: array("d") for name in COLUMNS}

    def __len__(self) -> int:
        return len(self.columns["step"])

    def add(self, record: dict[str, Any], field: str) -> bool:
        """Take in one record; False where it has no loss that is a finite number."""
        given = [*(record.get(name) for name in COLUMNS[:-1]), record.get(field)]
        values = [float(value) for value in given if isinstance(value, (int, float)) and abs(value) < LARGEST]
        if len(values) < len(given):
            return False
        for name, value in zip(COLUMNS, values, strict=True):
            self.columns[name].append(value)
        return True

    def forget_after(self, step: float) -> None:
        """Training went back to that step."""
        count = len(self)
        while count and self.columns["step"][count - 1] > step:
            count -= 1
        for column in self.columns.values():
            del column[count:]


class Following:
    """The learning curves of one run, kept up to date: `read`, then look at `curves` and `last`.

    `version` changes whenever they do. Several threads may use it: `lock` is held while it reads.

    >>> follower = Following(run)  # doctest: +SKIP
    >>> follower.read()  # doctest: +SKIP
    True
    """

    def __init__(self, run: Run) -> None:
        self.path: Path = run.path / METRICS
        self.lock = threading.RLock()
        self.version = 0
        self._begin()

    def _begin(self) -> None:
        self.curves = {"train": Curve(), "valid": Curve()}
        self.last: dict[str, Any] = {}
        self._file: tuple[int, int] = (0, 0)
        self._offset, self._rest, self._head = 0, b"", b""

    def read(self, seconds: float = math.inf) -> bool:
        """Read what is new, for so many seconds at most; whether the end was reached."""
        deadline = time.monotonic() + seconds
        with self.lock:
            try:
                with open(self.path, "rb") as file:
                    return self._read(file, deadline)
            except OSError:  # not there yet, or not there any more
                if self._offset:
                    self._begin()
                    self.version += 1
                return True

    def _read(self, file: BinaryIO, deadline: float) -> bool:
        facts, head = os.fstat(file.fileno()), file.read(HEAD)
        same = (facts.st_dev, facts.st_ino) == self._file and head.startswith(self._head)
        if not same or facts.st_size < self._offset:
            self._begin()
            self._file = (facts.st_dev, facts.st_ino)
            self.version += 1
        self._head = head
        file.seek(self._offset)
        while piece := file.read(PIECE):
            self._offset += len(piece)
            *lines, self._rest = (self._rest + piece).split(b"\n")
            for line in lines:
                self._take(line)
            if lines:
                self.version += 1
            if time.monotonic() >= deadline:
                return self._offset >= facts.st_size
        return True

    def _take(self, line: bytes) -> None:
        try:
            record = from_json(line)
        except ValueError:  # torn by a kill
            return
        if not isinstance(record, dict):
            return
        event, step = record.get("event"), record.get("step")
        if event == "resumed" and isinstance(step, (int, float)):
            for curve in self.curves.values():
                curve.forget_after(step)
        elif isinstance(event, str) and event in CURVES:
            name, field = CURVES[event]
            if self.curves[name].add(record, field):
                self.last = {**self.last, **{key: record[key] for key in (*COLUMNS[:-1], field) if key in record}}
                self.last |= {"progress": record["progress"]} if "progress" in record else {}
