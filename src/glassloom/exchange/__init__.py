"""To foreign formats: what leaves with a model. A format is one file, and one line in FORMATS."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from glassloom.errors import SettingError, nearest
from glassloom.storage import storing

if TYPE_CHECKING:
    from glassloom.runs import Checkpoint, Run


@dataclass(frozen=True)
class Format:
    """What a format is for, and the function `(run, checkpoint, out) -> path` that writes it."""

    about: str
    writer: str


FORMATS = {
    "html": Format("one page in which the model itself runs, offline, in any browser", "glassloom.exchange.page:write"),
    "huggingface": Format(
        "a folder that transformers opens, with tokenizer and card", "glassloom.exchange.folder:write"
    ),
    "onnx": Format(
        "a folder with the model as ONNX operators, its state as input and output", "glassloom.exchange.onnx_file:write"
    ),
    "gguf": Format("one file for llama.cpp, of a transformer that fits", "glassloom.exchange.gguf_file:write"),
}
"""Every format that a run can be exported to, by name; its function is named, not imported."""


def export_run(run: "Run", to: str, checkpoint: "Checkpoint", out: str | Path | None = None) -> Path:
    """Write a run's checkpoint in a format; where nothing is said, into the run's folder.

    >>> export_run(load_run("novel"), "html", load_run("novel").best())  # doctest: +SKIP
    PosixPath('runs/novel/page.html')

    Raises:
        SettingError: there is no such format.
        StorageError: the file cannot be written.
    """
    if to not in FORMATS:
        raise SettingError(f"There is no format {to}", f"one of {', '.join(FORMATS)}", nearest(to, FORMATS))
    if out is not None:
        with storing(Path(out), "--out"):
            Path(out).absolute().parent.mkdir(parents=True, exist_ok=True)
    module, _, function = FORMATS[to].writer.partition(":")
    written: Path = getattr(importlib.import_module(module), function)(run, checkpoint, out)
    return written
