"""`--workers N`: torchrun's own agent starts and watches the processes that train one model together.

Signals pass through to all of them, and the command ends with the first worker's exit code. A worker that dies has the
whole group started again, which goes on from the last checkpoint; one that ends on purpose (done, refused, interrupted,
diverged) has not: it notes its exit code in a file, for torchrun would take every code but 0 for a death.
"""

import logging
import os
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from glassloom.errors import GlassloomError, SettingError, WorkerError

OUTCOME = "GLASSLOOM_OUTCOME"
"""The environment variable that names the file for the first worker's exit code."""
LAST_WORDS_SECONDS = 3.0
"""A worker that is not the first waits so long before it ends with an error, so that the first can speak: torchrun
kills all others as soon as one has failed."""
MOST_WORKERS = 1024


def rank_here() -> int:
    """This process's rank among those that torchrun started; 0 where it did not."""
    return int(os.environ.get("RANK", "0")) if "TORCHELASTIC_RUN_ID" in os.environ else 0


def is_heard() -> bool:
    """Whether this process is the one that prints."""
    return rank_here() == 0


def is_launched() -> bool:
    """Whether this process is a worker that `launch` has started, and may start again."""
    return OUTCOME in os.environ and "TORCHELASTIC_RUN_ID" in os.environ


def check_workers(asked: int | None) -> bool:
    """Whether workers are to be started: they were asked for, and this is none of them.

    Raises:
        SettingError: the number is none, or not torchrun's.
    """
    if asked is None:
        return False
    if not 1 <= asked <= MOST_WORKERS:
        raise SettingError(f"workers is {asked}", f"1 to {MOST_WORKERS:,} processes", "change --workers")
    started = int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else None
    if started is not None and started != asked:
        raise SettingError(
            f"torchrun has started {started} workers, and --workers asks for {asked}",
            "one of the two",
            "drop --workers; torchrun's --nproc-per-node and --nnodes say how many there are",
        )
    return started is None and asked > 1


def launch(arguments: list[str], count: int, max_restarts: int) -> int:
    """Start so many workers on this machine with a command's arguments, and wait; the first one's exit code.

    Raises:
        SettingError: a negative number of restarts.
        WorkerError: a worker died, and more often than it may.
    """
    if max_restarts < 0:
        raise SettingError(f"max_restarts is {max_restarts}", "0 or more", "change --max-restarts")
    os.environ.setdefault("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")  # a restart must not meet the dead's addresses
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DistributedDataParallel warns where all is well
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)  # it reports every end as a failure
    with TemporaryDirectory(prefix="glassloom-workers-") as folder:
        outcome = Path(folder) / "outcome"
        os.environ[OUTCOME] = str(outcome)
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=uuid4().hex, rdzv_backend="c10d",
            rdzv_endpoint="localhost:0", max_restarts=max_restarts, monitor_interval=0.1,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )  # fmt: skip
        try:
            elastic_launch(config, sys.executable)("-P", "-m", "glassloom", *arguments)
        except SignalException as stopped:
            return 128 + int(stopped.sigval)
        except ChildFailedError as failed:
            rank, failure = failed.get_first_failure()
            how = f"by signal {-failure.exitcode}" if failure.exitcode < 0 else f"with {failure.exitcode}"
            again = f", the last of {max_restarts + 1} times" if max_restarts else ""
            raise WorkerError(
                f"Worker {rank} ended {how}{again}",
                "all workers at work",
                "go on from the last checkpoint with --resume",
            ) from None
        finally:
            os.environ.pop(OUTCOME, None)
        return int(outcome.read_text()) if outcome.exists() else 0


def last_words(code: int, error: GlassloomError | None = None) -> int:
    """What this process exits with, as a worker of `launch` or of torchrun; elsewhere the code itself."""
    outcome = Path(os.environ[OUTCOME]) if is_launched() else None
    on_purpose = not isinstance(error, WorkerError)
    if is_heard():
        if outcome is None or not on_purpose:
            return code
        outcome.write_text(str(code))
        return 0
    if code == 0:
        return 0
    waited = time.monotonic()
    while time.monotonic() - waited < LAST_WORDS_SECONDS and not (outcome and outcome.exists()):
        time.sleep(0.05)
    return 0 if outcome and (outcome.exists() or on_purpose) else code
