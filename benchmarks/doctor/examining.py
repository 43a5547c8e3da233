"""One case under `glassloom doctor FILE --json`, as a whole command in a process of its own, and what it said."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import warm
from listed import Case

LONGEST = 150.0
"""Seconds after which a command that does not end is counted as one that failed."""


def examine(
    case: Case, seed: int, texts: dict[str, str], more: Sequence[str] = (), forks: ForkServerContext | None = None
) -> dict[str, Any]:
    """A row: what was expected and said, exit code, seconds, and whether that is right.

    The file is given as `model.py` in a folder of its own: neither its name nor its place tells what it is. With
    `forks` the command runs in a process that has imported everything, and its seconds are not those of a user.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.py"
        file.write_text(case.source, encoding="utf-8")
        target = str(file) + (f":{case.builder}" if case.builder else "")
        flags = [flag.format_map(texts) for flag in case.flags]
        arguments = ["doctor", target, "--json", "--seed", str(seed), *flags, *more]
        started = time.perf_counter()
        try:
            if forks is None:
                command = [sys.executable, "-m", "glassloom", *arguments]
                done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, env=dict(os.environ))
                code, out, err = done.returncode, done.stdout, done.stderr
            else:
                code, out, err = warm.run(forks, arguments, LONGEST)
        except (subprocess.TimeoutExpired, TimeoutError):
            code, out, err = -1, "", f"no end after {LONGEST:g} s"
        seconds = time.perf_counter() - started
    return judged(case, seed, code, out, err, seconds) | {"whole": forks is None}


def judged(case: Case, seed: int, code: int, out: str, err: str, seconds: float) -> dict[str, Any]:
    """The row of a command that has ended; output that is no JSON object, or a wrong exit code, is an error."""
    error, findings, verdict = "", [], ""
    try:
        said = json.loads(out)
        verdict, findings = said["verdict"], said["findings"]
        if code != {"healthy": 0, "sick": 1}[verdict]:
            error = f"exit code {code} with {verdict}"
    except (ValueError, KeyError, TypeError):
        error = (err.strip() or out.strip() or f"exit code {code}")[-400:]
    named = [finding["name"] for finding in findings if finding["severity"] != "note"]
    row: dict[str, Any] = {
        "case": case.id, "form": case.form, "expected": list(case.names), "seed": seed, "verdict": verdict,
        "named": named, "notes": [finding["name"] for finding in findings if finding["severity"] == "note"],
        "seconds": round(seconds, 2), "detected": verdict == "sick",
        "right": bool(named) and named[0] in case.names if case.names else verdict == "healthy",
    }  # fmt: skip
    if error:
        row["error"] = error
    if not row["right"] and findings:
        row["evidence"] = findings[0]["evidence"]
    return row
