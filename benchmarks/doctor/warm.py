"""The whole command again and again without Python's start: each in a fork of a process that has imported everything.

The same code runs as in `glassloom doctor FILE --json`, but for the process of its own that the command gives the file:
here the fork is that.
"""

import multiprocessing
import os
import sys
import tempfile
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from glassloom.cli import SPINS

PRELOADED = ["glassloom.cli.doctor", "glassloom.doctor.examine", "glassloom.doctor.guarded", "glassloom.doctor.alone"]


def prepared() -> ForkServerContext:
    """What processes are forked by; started once."""
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run(context: ForkServerContext, arguments: list[str], longest: float) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command; TimeoutError where it takes longer."""
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=work, args=(arguments, folder))
        process.start()
        process.join(longest)
        if process.is_alive():
            process.kill()
            process.join()
            raise TimeoutError(f"no end after {longest:g} s")
        out, err = (Path(folder, name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err"))
        return process.exitcode or 0, out, err


def work(arguments: list[str], folder: str) -> None:
    """The command, in the fork."""
    import glassloom.doctor.file
    from glassloom.cli import main

    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT), stream)
    glassloom.doctor.file.examine_file = here  # type: ignore[assignment]
    sys.argv = ["glassloom", *arguments]
    try:
        code: Any = main(arguments)
    except SystemExit as ended:
        code = ended.code
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 0)


def here(file: str, builder: str, *, timeout: float, say: Any, **asked: Any) -> Any:
    """`examine_file`, in this very process: the request and the answers are the same."""
    from glassloom.doctor.alone import answered, plain
    from glassloom.doctor.finding import Diagnosis, diagnosis_of
    from glassloom.errors import InputError

    told: list[dict[str, Any]] = []
    real, nowhere = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)
    answered({"file": file, "builder": builder, **asked}, lambda **parts: told.append(plain(parts)))
    sys.stdout.flush()
    os.dup2(real, 1)
    last = told[-1]
    if "error" in last:
        raise InputError(**last["error"])
    return Diagnosis(diagnosis_of(last["diagnosis"]).findings, {"not_measured": last["not_measured"]})
