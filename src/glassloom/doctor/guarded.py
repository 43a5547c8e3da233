"""The process around somebody else's code: what it may change is put back, what it prints goes nowhere."""

import contextlib
import gc
import io
import os
import random
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import torch


def sow(seed: int) -> None:
    """Set every global generator that code of this field draws from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """What the block prints, in Python, goes nowhere; its warnings are not shown."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def guarded(threads: int | None = None) -> Iterator[None]:
    """Run somebody else's code; afterwards seeds, threads, folder, default type and device are as they were.

    `threads` are those of the examination; a file that sets its own is overruled by `settled`.
    """
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    folder, paths, arguments = os.getcwd(), list(sys.path), list(sys.argv)
    dtype, before, grad = torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()
    device, anomaly = torch.get_default_device(), torch.is_anomaly_enabled()
    deterministic = torch.are_deterministic_algorithms_enabled()
    fast, precision = torch.backends.mha.get_fastpath_enabled(), torch.get_float32_matmul_precision()
    try:
        with quietly():
            settled(threads or before)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.random.set_rng_state(states[2])
        os.chdir(folder)
        sys.path[:], sys.argv[:] = paths, arguments
        torch.set_default_dtype(dtype)
        torch.set_num_threads(before)
        torch.set_grad_enabled(grad)
        torch.set_default_device(device if device.type != "cpu" else None)
        torch.autograd.set_detect_anomaly(anomaly)
        determinism(deterministic)
        torch.backends.mha.set_fastpath_enabled(fast)
        torch.set_float32_matmul_precision(precision)
        gc.collect()


def settled(threads: int) -> None:
    """The state in which everything is measured, whatever the file has set while it was imported.

    torch's fast path of eval mode is left out, so that what is observed in attention is what training runs.
    """
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.autograd.set_detect_anomaly(False)
    determinism(False)
    torch.backends.mha.set_fastpath_enabled(False)


def determinism(wanted: bool) -> None:
    """Set torch's deterministic algorithms where they are otherwise: the call alone imports torch's whole compiler."""
    if torch.are_deterministic_algorithms_enabled() != wanted:
        torch.use_deterministic_algorithms(wanted)


@contextlib.contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """The type of new floating tensors while the block runs."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
