"""Where and how to compute: device, precision, threads; and the facts about the machine that a run keeps."""

import ctypes
import os
import platform
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

import torch

import glassloom
from glassloom.config import Config, TrainSettings
from glassloom.errors import SettingError, notice
from glassloom.kernels import native


def choose_device(wanted: str) -> str:
    """The device a setting names; `auto` is cuda, else mps, else cpu.

    Raises:
        SettingError: the named device is not on this machine.
    """
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if wanted == "auto":
        return next(name for name in ("cuda", "mps", "cpu") if here[name])
    if not here[wanted]:
        found = ", ".join(name for name, there in here.items() if there)
        raise SettingError(f"This machine has no {wanted} that torch can use", f"one of {found}", "drop --device")
    return wanted


def choose_precision(wanted: str, device: str) -> str:
    """The precision a setting names; `auto` is bfloat16 on a CUDA device that has it, else float32."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if device == "cuda" and torch.cuda.is_bf16_supported() else "float32"


def resolve_machine(config: Config) -> Config:
    """Make the automatic choices once, so that they can be stored and a resumed run makes them again."""
    train = config.train
    device = choose_device(train.device)
    if device == "mps" and train.precision == "float64":
        raise SettingError("mps has no float64", "float32 or bfloat16", "set --precision float32 or --device cpu")
    if train.threads and train.threads > logical_cores():
        raise SettingError(
            f"threads is {train.threads:,}, more than this machine has cores to run them on",
            f"at most {logical_cores()}",
            "lower --threads, or leave it out",
        )
    return config.with_train(
        device=device,
        precision=choose_precision(train.precision, device),
        threads=train.threads or min(torch.get_num_threads(), logical_cores()),
    )


def logical_cores() -> int:
    """How many threads this machine can run at once, as far as the system tells; far more would only wait.

    A container may be allowed fewer than it sees; that is a matter of speed, not of standing still.
    """
    return os.cpu_count() or 1


def prepare_machine(train: TrainSettings) -> None:
    """Set threads and determinism as the (resolved) settings say; no more threads than this machine can run."""
    threads = min(train.threads or torch.get_num_threads(), logical_cores())
    if train.threads and threads < train.threads:
        notice(f"The run has {train.threads:,} threads, and this machine {threads} cores: {threads} threads are used.")
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)
    keep_freed_memory()
    if train.device == "cuda" and train.precision == "float32":
        torch.backends.cudnn.allow_tf32 = False  # as torch's own products: float32 is what was asked for
    if train.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


KEPT = {-3: 2**30, -1: 2**31 - 1, -2: 2**26}
"""mallopt's M_MMAP_THRESHOLD, M_TRIM_THRESHOLD and M_TOP_PAD, in bytes: from malloc.h of the GNU C library."""


def keep_freed_memory() -> bool:
    """Let the process keep what torch frees on the CPU, for the next step asks for the same again; whether it does.

    By default the GNU C library gives large blocks back to the system, which then has to clear every page anew: more
    than 100,000 page faults a step for a transformer of 3.6M parameters in float32. Elsewhere, and where the
    environment says otherwise (MALLOC_..., GLIBC_TUNABLES), nothing is done.
    """
    said = any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ)
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc" or said:
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return min(mallopt(name, amount) for name, amount in KEPT.items()) == 1


def autocast(train: TrainSettings) -> AbstractContextManager[Any]:
    """The context in which the model runs: products in bfloat16 where that is the precision."""
    if train.precision == "bfloat16":
        return torch.autocast(train.device, dtype=torch.bfloat16)
    return nullcontext()


def environment(command: str) -> dict[str, Any]:
    """What is needed to repeat a run: versions, machine, command."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return {
        "glassloom": glassloom.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "kernels": native.chosen() or "plain torch",
        "gpu": gpu,
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command,
    }


def processor() -> str:
    """The processor's name, as well as the system tells."""
    if sys.platform == "linux":
        try:
            with open("/proc/cpuinfo", encoding="utf-8") as info:
                names = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
            return names[0] if names else platform.machine()
        except OSError:
            pass
    return platform.processor() or platform.machine()


def memory_bytes(device: str) -> int | None:
    """How much memory a device has in all; None where the system does not tell."""
    if device == "cuda":
        return torch.cuda.get_device_properties(0).total_memory
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether torch ran out of memory, on any device."""
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)
    )
