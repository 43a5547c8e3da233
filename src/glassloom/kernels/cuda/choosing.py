"""Which implementation runs a recurrent layer on CUDA: cuDNN where the equations agree, Triton, or plain torch.

Where both could, a table of measurements decides (`choices.json`, written by benchmarks/gpu_recurrent.py); nothing has
been measured on a GPU yet, so the table is empty and cuDNN comes first. Importing this imports no Triton.
"""

import functools
import importlib.util
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from glassloom.errors import notice

Way: TypeAlias = Literal["cudnn", "triton", "plain"]
TABLE = Path(__file__).with_name("choices.json")
OLDEST = (8, 0)
"""The compute capability from which bfloat16 and tf32 products are there."""

_forced: list[Way | None] = [None]


@contextmanager
def using(way: Way) -> Iterator[None]:
    """This implementation inside a `with` block, on any device where it can run: for tests and measurements."""
    _forced.append(way)
    try:
        yield
    finally:
        _forced.pop()


def forced() -> Way | None:
    """The implementation that `using` names; None outside of it."""
    return _forced[-1]


@functools.cache
def measured() -> list[dict[str, object]]:
    """The table: cell, precision, batch and width of each measurement, and which way was the fastest."""
    rows: list[dict[str, object]] = json.loads(TABLE.read_text(encoding="utf-8"))["rows"]
    return rows


def fastest(cell: str, dtype: torch.dtype, batch: int, width: int, rows: list[dict[str, object]] | None = None) -> Way:
    """The way that was the fastest at the measured shape that is nearest in ratio; cuDNN where none was measured.

    >>> rows = [{"cell": "lstm", "precision": "float32", "batch": 1, "width": 100, "fastest": "triton"}]
    >>> fastest("lstm", torch.float32, 2, 64, rows), fastest("lstm", torch.bfloat16, 2, 64, rows)
    ('triton', 'cudnn')
    """
    rows = measured() if rows is None else rows
    near = [row for row in rows if (row["cell"], row["precision"]) == (cell, str(dtype).removeprefix("torch."))]

    def distance(row: dict[str, object]) -> float:
        return sum(abs(math.log(float(str(row[name])) / own)) for name, own in (("batch", batch), ("width", width)))

    found = min(near, key=distance, default={"fastest": "cudnn"})["fastest"]
    return "triton" if found == "triton" else "cudnn"


@functools.cache
def triton_runs() -> bool:
    """Whether Triton is installed and knows this GPU; one line of notice where not."""
    if importlib.util.find_spec("triton") is None:
        notice("Triton is not installed: on CUDA, what cuDNN lacks (the GRU with reset before) runs in plain torch.")
        return False
    return torch.cuda.get_device_capability() >= OLDEST


def triton_serves(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a sequence of this tensor's kind, with products in `dtype`, is run by the Triton kernels."""
    if tensor.dtype != torch.float32 or dtype not in (torch.float32, torch.bfloat16) or tensor.numel() == 0:
        return False
    if forced() is not None:
        return forced() == "triton"
    return tensor.is_cuda and triton_runs()
