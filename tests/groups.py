"""Several processes that train together, started as torchrun starts its workers, for the tests.

Run as a script it is one worker: it reads a JSON list of jobs and does each of them with the others. A job is a name, a
text (or the name of a formal language), settings, and how far to go: `updates` makes so many bare steps and keeps what
they left, `train` is a whole training with its run folder.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from glassloom.training.shares import whole
from trainings import language, prepared, steps, stop_at, stream, train

ROOT = Path(__file__).parent.parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def environment(rank: int, size: int, port: int, **more: str) -> dict[str, str]:
    """What torchrun gives a worker."""
    told = {
        "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port, "TORCHELASTIC_RUN_ID": f"test-{port}", "TORCHELASTIC_RESTART_COUNT": 0,
        "GLASSLOOM_WORKER_TIMEOUT": 60, "OMP_NUM_THREADS": 1,
    }  # fmt: skip
    return {**os.environ, **{name: str(value) for name, value in told.items()}, **more}


def together(jobs: list[dict[str, Any]], folder: Path, size: int = 2) -> None:
    """Do the jobs with so many workers; a worker that fails shows what it said."""
    jobs = [{**job, "port": free_port()} for job in jobs]  # a store of its own for each meeting
    script = [sys.executable, __file__, str(folder)]
    started = [
        subprocess.Popen(
            script, env=environment(rank, size, 0), text=True, stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for rank in range(size)
    ]
    for worker in started:
        assert worker.stdin is not None
        worker.stdin.write(json.dumps(jobs))
        worker.stdin.close()
        worker.stdin = None
    said = [worker.communicate(timeout=300)[1][-3000:] for worker in started]
    assert [worker.returncode for worker in started] == [0] * size, "\n".join(said)


def text_of(job: dict[str, Any]) -> Any:
    """The text of a job, as ids."""
    return language(samples=job["samples"]) if "samples" in job else stream(job["text"], job.get("characters", 3000))


def made(state: Any, count: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What so many steps leave: weights, everything beside them, and the figures of each step."""
    done = steps(state, count)
    tensors, numbers = state.saved()
    tensors = {name: value.clone() for name, value in tensors.items() if not name.startswith("gen")}
    figures = [[step.train_nats, step.norm_before, step.norm_after] for step in done]
    weights = {name: whole(value).detach().clone() for name, value in state.model.state_dict().items()}
    return {**weights, **{name: whole(value).clone() for name, value in tensors.items()}}, {
        "figures": figures,
        "tokens": numbers["tokens"],
        "parts": numbers["parts"],
    }


def updates(job: dict[str, Any], folder: Path) -> None:
    """So many updates as one of the workers; the first keeps what they left."""
    from glassloom.training.spreading import spread
    from glassloom.training.workers import joined

    with joined(job.get("shard", False)) as workers:
        state = prepared(text_of(job), workers, **job["settings"])
        spread(state)
        tensors, numbers = made(state, job["updates"])
        if workers.is_first:
            keep(folder, job["name"], tensors, numbers)


def keep(folder: Path, name: str, tensors: dict[str, Tensor], numbers: dict[str, Any]) -> None:
    """Write a result down, for the test to read."""
    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(json.dumps(numbers))


def kept(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `keep` wrote."""
    return load_file(folder / f"{name}.safetensors"), json.loads((folder / f"{name}.json").read_text())


def training(job: dict[str, Any], folder: Path) -> None:
    """A whole training, stopped after a step where the job says so."""
    watch, stop = stop_at(job.get("stop", 10**9))
    if job.get("asked", "all") != "all" and int(os.environ["RANK"]) != job["asked"]:
        stop = bool  # nobody asks this one
    resume = job.get("resume", False)
    train(
        text_of(job),
        folder,
        job["train"],
        resume=resume,
        on_event=watch,
        stop=stop,
        shard=job.get("shard", False),
        **job["settings"],
    )


def main() -> None:
    """Do every job in turn."""
    folder = Path(sys.argv[1])
    for job in json.load(sys.stdin):
        os.environ["MASTER_PORT"] = str(job["port"])
        (updates if "updates" in job else training)(job, folder)


if __name__ == "__main__":
    main()
