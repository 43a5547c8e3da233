"""The kernels in C++ (folder native/), where they were built; without them plain torch does the same.

One shared library holds every instruction set's build; the best that the machine runs is used, or the one that the
environment variable GLASSLOOM_INSTRUCTIONS names. It is called through ctypes, needs no torch headers, and runs on
torch's own threads.
"""

import ctypes
import os
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import torch
from torch import Tensor

from glassloom.errors import notice

FOLDER = Path(__file__).parents[1] / "native"
LITTLE = 100_000
"""Below so many products a step (rows x width x width) another thread costs more than it does."""


SHORT = 64
"""Of at most so many rows (steps x batch) the products around the steps are done by `run`, too."""


class Cell(IntEnum):
    """The cells, numbered as in native/job.h."""

    RNN_TANH = 0
    RNN_RELU = 1
    GRU_RESET_BEFORE = 2
    GRU_RESET_AFTER = 3
    LSTM = 4


PRECISIONS = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
FORWARD, BACKWARD = 0, 1


class Job(ctypes.Structure):
    """native/job.h, field by field."""

    _fields_ = (
        *(
            (name, ctypes.c_int64)
            for name in ("cell", "precision", "steps", "batch", "width", "threads", "inputs", "around")
        ),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "weight", "packed", "recurrent_bias", "gates", "states", "cells", "beside", "from_outputs",
                "incoming", "cell_incoming", "from_below", "input_weight", "bias", "to_below", "to_weight",
                "to_recurrent", "to_bias", "to_recurrent_bias",
            )
        ),
    )  # fmt: skip


class Softmax(ctypes.Structure):
    """The job of the same name in native/job.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("precision", "rows", "vocabulary", "threads", "gradient")),
        *((name, ctypes.c_void_p) for name in ("logits", "bias", "targets", "weights", "nats")),
    )


class Product(ctypes.Structure):
    """The job of the same name in native/job.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("precision", "rows", "depth", "columns", "down", "right", "threads")),
        *((name, ctypes.c_void_p) for name in ("from", "weight", "packed", "bias", "to")),
    )


class Drop(ctypes.Structure):
    """The job of the same name in native/job.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("precision", "count", "period", "seed", "threshold", "threads")),
        ("scale", ctypes.c_double),
        *((name, ctypes.c_void_p) for name in ("from", "to")),
    )


JOBS = (Job, Product, Softmax, Drop)


@dataclass(frozen=True)
class Library:
    """The loaded library, and its instruction sets that this machine runs, the best last."""

    functions: ctypes.CDLL
    sets: dict[str, int]


def load(folder: Path = FOLDER) -> Library | None:
    """The library in a folder; None where it was not built, or does not load."""
    for path in sorted(folder.glob(f"_native*{sysconfig.get_config_var('SHLIB_SUFFIX') or '.so'}")):
        try:
            functions = ctypes.CDLL(str(path))
            if functions.glassloom_job_bytes() != sum(map(ctypes.sizeof, JOBS)):  # built of other sources
                continue
        except (OSError, AttributeError):
            continue
        for name, result, arguments in (
            ("threads", None, (ctypes.c_void_p,)),
            ("sets", ctypes.c_int64, ()),
            ("set_name", ctypes.c_char_p, (ctypes.c_int64,)),
            ("set_runs", ctypes.c_int64, (ctypes.c_int64,)),
            ("run", None, (ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)),
            ("product_bytes", ctypes.c_int64, (ctypes.c_int64, ctypes.c_void_p)),
            ("product", None, (ctypes.c_int64, ctypes.c_void_p)),
            ("drop", None, (ctypes.c_int64, ctypes.c_void_p)),
            ("softmax", None, (ctypes.c_int64, ctypes.c_void_p)),
            ("attend", None, (ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64)),
        ):
            function = getattr(functions, f"glassloom_{name}")
            function.restype, function.argtypes = result, arguments
        functions.glassloom_threads(torch_threads())
        numbers = range(functions.glassloom_sets())
        sets = {
            functions.glassloom_set_name(number).decode(): number
            for number in numbers
            if functions.glassloom_set_runs(number)
        }
        return Library(functions, sets)
    return None


def torch_threads() -> int | None:
    """The address of GOMP_parallel in the OpenMP runtime that torch has loaded; None where it is another one."""
    for library in (None, *map(str, (Path(torch.__file__).parent / "lib").glob("libgomp*"))):
        try:
            return ctypes.cast(ctypes.CDLL(library).GOMP_parallel, ctypes.c_void_p).value
        except (AttributeError, OSError):
            continue
    return None


def preferred(sets: Sequence[str], asked: str | None) -> str | None:
    """The instruction set to begin with, of those that run here, the best last: the one asked for, else the best.

    "none" asks for plain torch. One that does not run here is answered with a notice.

    >>> preferred(["portable", "avx2"], None), preferred(["portable", "avx2"], "portable"), preferred([], "none")
    ('avx2', 'portable', None)
    """
    best = sets[-1] if sets else None
    if not asked or asked in sets:
        return asked or best
    if asked != "none":
        there = ", ".join([*sets, "none"])
        notice(f"GLASSLOOM_INSTRUCTIONS is {asked}, which does not run here ({there} do): {best or 'none'} is used.")
        return best
    return None


LIBRARY = load()
_chosen = [preferred(list(LIBRARY.sets) if LIBRARY else [], os.environ.get("GLASSLOOM_INSTRUCTIONS"))]


def chosen() -> str | None:
    """The name of the instruction set in use; None for plain torch."""
    return _chosen[-1]


@contextmanager
def using(name: str | None) -> Iterator[None]:
    """Another instruction set (None: plain torch) inside a `with` block: for tests and measurements."""
    assert name is None or (LIBRARY is not None and name in LIBRARY.sets), f"{name} does not run here"
    _chosen.append(name)
    try:
        yield
    finally:
        _chosen.pop()


def serves(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Whether a sequence of this tensor's kind, with products in `dtype`, is run here."""
    if chosen() is None or tensor.device.type != "cpu" or tensor.numel() == 0:
        return False
    if dtype == torch.bfloat16:
        return tensor.dtype == torch.float32 and str(chosen()).endswith("bf16")
    return tensor.dtype == dtype and dtype in PRECISIONS


def rounded_product(rows: Tensor, weight: Tensor, bias: Tensor | None = None, out: Tensor | None = None) -> Tensor:
    """rows @ weight + bias, the factors rounded to bfloat16 on their way and the sums in float32; all are float32."""
    assert LIBRARY is not None
    functions, number = LIBRARY.functions, LIBRARY.sets[str(chosen())]
    rows = rows.contiguous()
    weight = weight if 1 in weight.stride() else weight.contiguous()
    out = rows.new_empty(len(rows), weight.shape[1]) if out is None else out
    threads = torch.get_num_threads() if rows.numel() * weight.shape[1] > LITTLE else 1
    job = Product(PRECISIONS[torch.bfloat16], *rows.shape, weight.shape[1], *weight.stride(), threads)
    packed = torch.empty(functions.glassloom_product_bytes(number, ctypes.byref(job)), dtype=torch.uint8)
    for name, array in {"from": rows, "weight": weight, "packed": packed, "bias": bias, "to": out}.items():
        setattr(job, name, None if array is None else array.data_ptr())
    functions.glassloom_product(number, ctypes.byref(job))
    return out


def has_drop(values: Tensor) -> bool:
    """Whether `drop` takes this tensor."""
    return bool(chosen()) and values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)


def drop(values: Tensor, period: int, seed: int, threshold: int, scale: float) -> Tensor:
    """The entries whose place scatters to `threshold` or above, times `scale`; the others zero (kernels/dropout.py)."""
    assert LIBRARY is not None
    values = values.contiguous()
    out = torch.empty_like(values)
    threads = torch.get_num_threads() if values.numel() > LITTLE else 1
    job = Drop(PRECISIONS[values.dtype], values.numel(), max(period, 1), seed, threshold, threads, scale)
    setattr(job, "from", values.data_ptr())
    job.to = out.data_ptr()
    LIBRARY.functions.glassloom_drop(LIBRARY.sets[str(chosen())], ctypes.byref(job))
    return out


def softmax(logits: Tensor, bias: Tensor | None, targets: Tensor, weights: Tensor, gradient: bool) -> Tensor:
    """The loss of each row of contiguous logits in nats; `gradient`: the logits become their own, times `weights`."""
    assert LIBRARY is not None
    nats = weights.new_empty(len(logits))
    threads = torch.get_num_threads() if logits.numel() > LITTLE else 1
    job = Softmax(PRECISIONS[logits.dtype], *logits.shape, threads, gradient)
    held = {
        "logits": logits,
        "bias": bias,
        "targets": targets.contiguous(),
        "weights": weights.contiguous(),
        "nats": nats,
    }
    for name, array in held.items():
        setattr(job, name, None if array is None else array.data_ptr())
    LIBRARY.functions.glassloom_softmax(LIBRARY.sets[str(chosen())], ctypes.byref(job))
    return nats


def is_short(inputs: Tensor, dtype: torch.dtype) -> bool:
    """Whether a sequence that is run here is so short that `run` does the products around its steps, too."""
    steps, batch, _ = inputs.shape
    return inputs.device.type == "cpu" and dtype == inputs.dtype and steps * batch <= SHORT and serves(inputs, dtype)


def run(cell: Cell, weight: Tensor, dtype: torch.dtype, direction: int, **arrays: Tensor) -> None:
    """A whole sequence in one direction; `arrays` are contiguous, named and shaped as in native/job.h.

    The weight is packed each time: that costs no more than to find out whether it has changed.
    """
    assert LIBRARY is not None
    steps, batch, width = arrays["states"].shape
    threads = torch.get_num_threads() if batch > 1 and batch * width * width > LITTLE else 1
    job = Job(cell, PRECISIONS[dtype], steps - 1, batch, width, threads)
    if "from_below" in arrays:
        job.inputs = arrays["from_below"].shape[-1]
        products = arrays["from_below"].numel() * len(weight)
        job.around = torch.get_num_threads() if products > 10 * LITTLE else 1
    weight = weight.contiguous()
    job.weight = weight.data_ptr()
    for name, array in arrays.items():
        setattr(job, name, array.data_ptr())
    LIBRARY.functions.glassloom_run(LIBRARY.sets[str(chosen())], ctypes.byref(job), direction)
