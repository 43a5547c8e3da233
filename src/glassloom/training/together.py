"""What stands before the first step where several workers train: the first decides, the others follow it.

The first prepares the text, completes the settings, makes or opens the run folder and holds its lock. It tells the
others the settings, the tokenizer and the run; they read the same text (from the cache, where they share its machine)
and make sure that it is the same. After a restart by torchrun the group goes on with the run that it began itself.
"""

import os
import socket
from pathlib import Path
from typing import Any

import torch

from glassloom.config import Config
from glassloom.data.tokenizers import open_tokenizer
from glassloom.errors import CorpusError, InputError, SettingError, notice
from glassloom.runs import Run, list_runs, load_run
from glassloom.runs.bystander import Bystander
from glassloom.training.machine import prepare_machine
from glassloom.training.prepared import Prepared, prepare
from glassloom.training.resolve import open_corpus
from glassloom.training.sharding import check_shard
from glassloom.training.workers import Workers


def prepare_together(workers: Workers, source: Any, given: Any, *, root: Path, **how: Any) -> Prepared:
    """What `prepare` gives, the same for every worker; see there for the arguments.

    Raises:
        InputError: what `prepare` raises; or the settings do not go with so many workers, or a worker has another text.
    """
    if workers.alone:
        return prepare(source, given, root=root, **how)
    if source == "-":
        raise InputError(
            "Standard input cannot be read by several workers", "a file that all of them can open", "write it to a file"
        )
    kept: list[Prepared] = []

    def decide() -> dict[str, Any]:
        again = begun_before(root)
        if again is not None:
            how.update(name=again.name, resume=True, replace=False)
        prepared = prepare(source, given, root=root, **how)
        check_goes(prepared.config, workers)
        kept.append(prepared)
        return {
            "config": prepared.config.as_dict(),
            "tokenizer": prepared.corpus.tokenizer.to_json(),
            "fingerprint": prepared.corpus.fingerprint,
            "name": prepared.name,
            "run": str(prepared.run.path) if prepared.run else None,
            "origin": str(prepared.origin.path.absolute()) if prepared.origin else None,
        }

    said = workers.from_first(decide)

    def follow() -> Prepared:
        config = Config.from_dict(said["config"])
        corpus = open_corpus(source, config, open_tokenizer(said["tokenizer"]))
        if corpus.fingerprint != said["fingerprint"]:
            raise CorpusError(
                f"Worker {workers.rank} on {socket.gethostname()} has another text than the first one",
                "the very same file for every worker",
                "copy it to every machine, or put it where all of them see it",
            )
        check_devices(config.train.device)
        prepare_machine(config.train)
        run = Bystander.of(Path(said["run"]), config) if said["run"] else None
        return Prepared(config, corpus, said["name"], run, load_run(said["origin"]) if said["origin"] else None)

    def own() -> Prepared:
        check_devices(kept[0].config.train.device)
        return kept[0]

    return workers.all_well(own if workers.is_first else follow)


def check_goes(config: Config, workers: Workers) -> None:
    """Whether the settings go with so many workers.

    Raises:
        SettingError: rows cannot be dealt evenly, or what `--shard` does not go with.
    """
    train = config.train
    if train.batching != "padded" and train.batch_size % workers.size:
        below = train.batch_size - train.batch_size % workers.size
        nearest = " or ".join(str(rows) for rows in (below, below + workers.size) if rows)
        raise SettingError(
            f"batch_size {train.batch_size} cannot be dealt evenly to {workers.size} workers",
            f"a multiple of {workers.size}",
            f"set --batch-size to {nearest}, or take another number of workers",
        )
    if workers.shard:
        check_shard(config)


def check_devices(device: str) -> None:
    """Whether every worker of this machine has a device of its own.

    Raises:
        SettingError: there are more workers than GPUs, or the device can have one worker only.
    """
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    there = torch.cuda.device_count() if device == "cuda" else 1 if device == "mps" else here
    if here > there:
        raise SettingError(
            f"{here} workers cannot share the {there} {device} device{'s' if there != 1 else ''} of this machine",
            "a device for each worker",
            f"take {there} workers, or set --device cpu",
        )


def group_id() -> str:
    """What all starts of one group have alike, and no two groups: its name, and the agent where it has none."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    return f"{name} of process {os.getppid()} on {socket.gethostname()}" if name == "none" else name


def begun_before(root: Path) -> Run | None:
    """The run that this very group began before torchrun restarted it, if it came so far."""
    if int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) == 0:
        return None
    for run in list_runs(root):
        if run.environment.get("workers", {}).get("group") == group_id():
            return run
    return None


def say_what_changes(run: Run, before: int, workers: Workers) -> None:
    """One line where a run goes on with another number of workers than it was saved by."""
    if before == workers.size or not workers.is_first:
        return
    drops = any(value for name, value in run.config.model.model_dump().items() if name.startswith("dropout"))
    drawn = "; dropout is drawn by other generators from here on" if drops else ""
    rows = f"batches keep their {run.config.train.batch_size} rows" if run.config.train.batching != "padded" else ""
    notice(
        f"The run was saved by {before} worker{'s' if before > 1 else ''} and goes on with {workers.size}: "
        f"{rows or 'batches stay the same'}, so steps differ in rounding only{drawn}."
    )
