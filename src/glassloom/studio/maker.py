"""The process in which views, files and reports are made: asked line by line, so that what takes too long can be ended.

`python -m glassloom.studio.maker FOLDER` reads a line of JSON at a time, `{"what": "look", "asked": {...}}`, and
answers each by a line of JSON (`bytes`, and `kind` and `name` or `error` with its `status`) and so many bytes of
content. It ends with its input. What it is asked for it does alone: whoever asked may kill it, and nothing is held that
others need.
"""

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from glassloom.errors import GlassloomError, InputError
from glassloom.studio import looking
from glassloom.studio.folder import RunsFolder
from glassloom.studio.shelf import Shelf
from glassloom.studio.wire import FAULTS, as_bytes, as_error, json_line, unforeseen

KEPT = 1 + looking.MOST_BESIDE
"""So many models are kept open: those of one view."""


class Maker:
    """Answers requests over one folder of runs.

    >>> Maker(Path("runs")).answer({"what": "look", "asked": {"run": "gru", "view": "surprise"}})  # doctest: +SKIP
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.shelf = RunsFolder(folder), Shelf(KEPT)
        self._makes: dict[str, Callable[[dict[str, Any]], tuple[bytes, str, str]]] = {
            "look": self._look, "file": self._file, "report": self._report,
        }  # fmt: skip

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """What is said of the content, and the content; of a request that cannot be answered the error."""
        try:
            content, kind, name = self._makes[request["what"]](request["asked"])
            return {"kind": kind, "name": name}, content
        except GlassloomError as error:
            return {"error": as_error(error)["error"], "status": 400}, b""
        except FAULTS as error:
            logging.getLogger(__name__).exception("%s could not be made", request.get("what"))
            return {"error": as_error(unforeseen(error))["error"], "status": 500}, b""

    def _found(self, asked: dict[str, Any]) -> Any:
        others = asked.get("beside") or []
        if not isinstance(others, list) or len(others) > looking.MOST_BESIDE:
            raise InputError("So many runs do not fit", f"at most {looking.MOST_BESIDE} beside", "choose fewer")
        run, *beside = [self.shelf.take(self.folder.find(name), "looking") for name in (asked.get("run"), *others)]
        return looking.found_by(run, beside, asked)

    def _look(self, asked: dict[str, Any]) -> tuple[bytes, str, str]:
        return as_bytes(looking.as_shown(self._found(asked))), "application/json", ""

    def _file(self, asked: dict[str, Any]) -> tuple[bytes, str, str]:
        looking.check_form(asked.get("form"))  # before a long view
        return looking.as_file(self._found(asked), asked.get("form"), str(asked.get("run")))

    def _report(self, asked: dict[str, Any]) -> tuple[bytes, str, str]:
        page = looking.report_page([self.folder.find(name) for name in asked["runs"]])
        return page.encode("utf-8", "replace"), "text/html", ""


def serve(folder: Path, asked: BinaryIO, answered: BinaryIO) -> None:
    """Answer until there is no more."""
    maker = Maker(folder)
    for line in asked:
        about, content = maker.answer(json.loads(line))
        answered.write(json_line({**about, "bytes": len(content)}) + content)
        answered.flush()


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints goes where errors go
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(Path(sys.argv[1]), sys.stdin.buffer, answers)
