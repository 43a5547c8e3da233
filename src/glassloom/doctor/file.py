"""A file of somebody's code, examined in a process of its own that can be stopped."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from glassloom.doctor.finding import Diagnosis, Finding, diagnosis_of
from glassloom.errors import InputError

TIMEOUT = 120.0
"""Seconds after which an examination is stopped."""


def examine_file(
    file: str | Path,
    builder: str = "",
    *,
    text: str | None = None,
    time_first: bool = False,
    settings: dict[str, Any] | None = None,
    seed: int = 0,
    timeout: float = TIMEOUT,
    say: Callable[[str], None] | None = None,
) -> Diagnosis:
    """Run the file's code and examine it. It is the user's own code: it can do whatever they can.

    `say` hears what is being measured. Raises InputError where the file cannot be imported, gives no logits, or takes
    longer than `timeout` seconds without anything having been found.
    """
    path = Path(file)
    if not path.is_file():
        raise InputError(f"There is no file {file}", "a Python file, or a run", "check the path")
    request = {
        "file": str(path),
        "builder": builder,
        "text": text,
        "time_first": time_first,
        "settings": settings or {},
        "seed": seed,
    }
    with tempfile.TemporaryFile() as complaints:
        child = subprocess.Popen(
            [sys.executable, "-m", "glassloom.doctor.alone"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            encoding="utf-8",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(part for part in sys.path if part)},
            start_new_session=True,
        )
        try:
            return conversation(child, request, timeout, say, complaints, str(file))
        finally:
            stop(child)


def conversation(
    child: "subprocess.Popen[str]",
    request: dict[str, Any],
    timeout: float,
    say: Callable[[str], None] | None,
    complaints: Any,
    name: str,
) -> Diagnosis:
    """Ask, listen until the diagnosis comes or the time is over."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.close()
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=listen, args=(child.stdout, lines), daemon=True).start()
    findings: list[dict[str, Any]] = []
    end, doing = time.monotonic() + timeout, "importing the file, or building the model"
    while True:
        try:
            line = lines.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            return too_long(findings, doing, timeout, name)
        if line is None:
            child.wait()
            return ended(findings, doing, child.returncode, complaints, name)
        told = json.loads(line)
        if "error" in told:
            raise InputError(**told["error"])
        if "diagnosis" in told:
            return Diagnosis(diagnosis_of(told["diagnosis"]).findings, {"not_measured": told["not_measured"]})
        doing, findings = told["doing"], told["findings"]
        if say:
            say(doing)


def listen(stream: Any, lines: "queue.Queue[str | None]") -> None:
    """Hand over what the child says, line by line; None at its end."""
    for line in stream:
        lines.put(line)
    lines.put(None)


def too_long(findings: list[dict[str, Any]], doing: str, timeout: float, name: str) -> Diagnosis:
    """What was found until then; raises InputError where that is nothing."""
    if findings:
        left = {"not_measured": [f"{doing}: stopped after {timeout:g} s"]}
        return Diagnosis(tuple(Finding(**one) for one in findings), left)
    what = f"{name} was stopped after {timeout:g} s, at: {doing}"
    raise InputError(what, "code that builds a model and runs it in seconds", "give it more with --timeout")


def ended(findings: list[dict[str, Any]], doing: str, code: int, complaints: Any, name: str) -> Diagnosis:
    """The same for a child that has died."""
    if findings:
        left = {"not_measured": [f"{doing}: the process ended with {code}"]}
        return Diagnosis(tuple(Finding(**one) for one in findings), left)
    complaints.seek(0)
    last = complaints.read().decode(errors="replace").strip().splitlines()[-1:] or [""]
    raise InputError(
        f"{name} ended the process with {code} at: {doing}. {last[0]}".strip(),
        "code that runs through",
        "run the file itself with python",
    )


def stop(child: "subprocess.Popen[str]") -> None:
    """End the child and whatever it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    child.wait()
    if child.stdout is not None:
        child.stdout.close()
