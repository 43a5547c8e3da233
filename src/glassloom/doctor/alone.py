"""A file examined in a process of its own: `python -m glassloom.doctor.alone`, asked and answering in lines of JSON.

The request comes on standard input; answers go to what was standard output when the process began, one object a line:
`doing` with what has been found so far, at last `diagnosis` or `error`. Whatever the file prints goes nowhere.
"""

import importlib.util
import json
import math
import os
import sys
from pathlib import Path
from typing import Any, TextIO


def main() -> None:
    """Take one request, answer, end."""
    request = json.loads(sys.stdin.readline())
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nowhere, stream)

    def answer(**parts: Any) -> None:
        answers.write(json.dumps(plain(parts)) + "\n")
        answers.flush()

    answered(request, answer)
    leave(answers)


def leave(answers: TextIO) -> None:
    """End at once, whatever threads the file has started."""
    answers.flush()
    os._exit(0)


def answered(request: dict[str, Any], answer: Any) -> None:
    """Import the file, examine it, answer."""
    from glassloom.doctor.examine import examine
    from glassloom.doctor.guarded import guarded, sow
    from glassloom.doctor.opening import told
    from glassloom.doctor.subject import PARTS
    from glassloom.errors import GlassloomError

    with guarded():
        sow(request["seed"])
        try:
            space = imported(Path(request["file"]))
        except BaseException as error:
            answer(
                error={
                    "what": f"{request['file']} could not be imported: {told(error)}",
                    "expected": EXPECTED,
                    "fix": IMPORT_FIX,
                }
            )
            return
    sys.path.insert(0, str(Path(request["file"]).resolve().parent))
    builder = request.get("builder") or "build_model"
    build = getattr(space, builder, None)
    if not callable(build):
        answer(error={"what": f"{request['file']} defines no {builder}", "expected": EXPECTED, "fix": NAME_FIX})
        return
    parts: dict[str, Any] = {name: getattr(space, name, None) for name in PARTS}
    parts = {name: part for name, part in parts.items() if callable(part)}
    try:
        diagnosis = examine(
            build,
            **parts,
            text=request.get("text"),
            time_first=request["time_first"],
            settings=request["settings"],
            seed=request["seed"],
            watch=lambda doing, found: answer(doing=doing, findings=[vars(one) for one in found]),
        )
    except GlassloomError as error:
        answer(error=error.as_dict())
        return
    answer(diagnosis=diagnosis.to_json(), not_measured=diagnosis.measured["not_measured"])


EXPECTED = (
    "a Python file that defines build_model(vocab_size), which returns a torch.nn.Module that takes tokens (batch, "
    "time) and returns logits (batch, time, vocab)"
)
IMPORT_FIX = "run the file itself with python and mend what fails"
NAME_FIX = "define it, or name the builder as in FILE.py:name"


def imported(file: Path) -> Any:
    """The file as a module, with its folder to import from; it finds no arguments."""
    sys.path.insert(0, str(file.resolve().parent))
    sys.argv = [str(file)]
    spec = importlib.util.spec_from_file_location("examined_by_the_doctor", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def plain(value: Any) -> Any:
    """The same as JSON can hold it: infinities and not-a-number as words."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


if __name__ == "__main__":
    main()
