"""The run folder: everything about one training, and nothing outside is needed to use it.

config.json        every setting, resolved          environment.json   versions, machine, command
tokenizer.json     text to ids and back             metrics.jsonl      what training measured, appended
corpus.json        source, sizes, hash, baselines   samples.jsonl      what the model wrote on the way
layers.jsonl       norms of each parameter, appended                    tensorboard/   the same for TensorBoard
checkpoints/       step-N/, see checkpoint.py       report.html        the page about it
page.html          the page in which the model runs, where it was exported
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from glob import glob
from pathlib import Path
from typing import Any

from torch import Tensor

from glassloom.config import Config
from glassloom.data.tokenizers import Tokenizer, open_tokenizer
from glassloom.errors import RunError, nearest
from glassloom.models import build
from glassloom.models.contract import LanguageModel
from glassloom.models.replacing import Change
from glassloom.runs import checkpoint as files
from glassloom.runs.checkpoint import Checkpoint, checkpoints, load_weights, newest_valid
from glassloom.runs.documents import CHECKPOINTS, append_line, read_json, read_lines, to_json
from glassloom.runs.inside import Inside, look_inside
from glassloom.runs.lock import is_locked, writing
from glassloom.storage import TEMPORARY, new_folder, replace_file, storing, sweep

CONFIG, TOKENIZER, CORPUS, ENVIRONMENT = "config.json", "tokenizer.json", "corpus.json", "environment.json"
METRICS, SAMPLES, LAYERS = "metrics.jsonl", "samples.jsonl", "layers.jsonl"
EVENTS = "tensorboard"
REPORT, PAGE, RESULT = "report.html", "page.html", "result.json"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True)
class Run:
    """One training, on disk.

    >>> run = load_run("runs/demo/gru")  # doctest: +SKIP
    >>> logits, state = run.model()(tokens)  # doctest: +SKIP
    """

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @cached_property
    def config(self) -> Config:
        return Config.from_dict(read_json(self.path / CONFIG))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return open_tokenizer(read_json(self.path / TOKENIZER))

    @property
    def corpus(self) -> dict[str, Any]:
        """Source, sizes, SHA-256 and baselines of the text."""
        return read_json(self.path / CORPUS)

    @property
    def environment(self) -> dict[str, Any]:
        return read_json(self.path / ENVIRONMENT)

    @property
    def imported(self) -> bool:
        """Whether its model was trained elsewhere and brought here by `glassloom import`."""
        return bool(self.environment.get("imported_from"))

    @property
    def report(self) -> Path:
        return self.path / REPORT

    @property
    def page(self) -> Path:
        return self.path / PAGE

    @property
    def events(self) -> Path:
        """TensorBoard's event files, where training was asked for them."""
        return self.path / EVENTS

    # -- weights

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, the newest first."""
        return checkpoints(self.path)

    def newest(self) -> Checkpoint:
        """The newest whole checkpoint; resume goes on from it."""
        return newest_valid(self.checkpoints())

    def best(self) -> Checkpoint:
        """The whole checkpoint with the lowest validation loss, the first of equals; the newest if none was scored."""

        def order(checkpoint: Checkpoint) -> tuple[float, int]:
            try:
                nats = checkpoint.progress().get("valid_nats")
            except RunError:  # damaged: looked at first, so that passing it over is said
                return -math.inf, 0
            return (math.inf, -checkpoint.step) if nats is None else (nats, checkpoint.step)

        return newest_valid(sorted(self.checkpoints(), key=order))

    def model(self, checkpoint: Checkpoint | None = None) -> LanguageModel:
        """The model with the weights of a checkpoint (the best if none is named), in evaluation mode, on the CPU."""
        checkpoint = checkpoint or self.best()
        checkpoint.check_fits(self.config.model, self.tokenizer.size)
        weights = checkpoint.weights()
        model = build(self.config.model, self.tokenizer.size)
        model.to(next(iter(weights.values())).dtype)
        load_weights(model, weights, str(checkpoint.path))
        return model.eval()

    def inside(
        self,
        text: str | Sequence[int],
        *,
        replace: Mapping[str, Change] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Inside:
        """Every inner value over a text, by name (docs/views.md), some of them replaced while the model runs.

        >>> run.inside("To be")["layers.1.gate.reset"].shape  # doctest: +SKIP
        (5, 256)
        >>> run.inside("To be", replace={"layers.0.hidden": 0.0})["logits"]  # doctest: +SKIP
        """
        return look_inside(self.model(checkpoint), self.tokenizer, text, replace)

    # -- what was measured

    def metrics(self) -> list[dict[str, Any]]:
        """What training measured, in order; what a resume took back is left out."""
        return without_retaken(read_lines(self.path / METRICS))

    def logs(self) -> tuple[Path, Path, Path]:
        """The files that training appends to: metrics, samples, norms."""
        return self.path / METRICS, self.path / SAMPLES, self.path / LAYERS

    def samples(self) -> list[dict[str, Any]]:
        """What the model wrote on the way: step, prompt, text."""
        return without_retaken(read_lines(self.path / SAMPLES))

    def layers(self) -> list[dict[str, Any]]:
        """Norms of each parameter at some updates, see `glassloom.training.norms`; none of runs of older versions."""
        return without_retaken(read_lines(self.path / LAYERS)) if (self.path / LAYERS).exists() else []

    def result(self) -> dict[str, Any] | None:
        """How training ended (see `glassloom.training`), or None if it has not."""
        return read_json(self.path / RESULT) if (self.path / RESULT).exists() else None

    def state(self) -> str:
        """`finished`, `diverged`, `running` or `interrupted`."""
        if is_locked(self.path):
            return "running"
        result = self.result()
        return str(result["status"]) if result else "interrupted"

    # -- writing

    def writing(self) -> AbstractContextManager[None]:
        """Hold the run's lock; a second writer is refused."""
        return writing(self.path)

    def commit(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        good_step: int | None = None,
    ) -> Checkpoint:
        """Commit a checkpoint, then delete those that are neither new, nor the best, nor of `good_step`."""
        done = files.commit(self.path, step, weights, state, progress)
        self.prune(progress, good_step)
        return done

    def prune(self, progress: Mapping[str, Any], good_step: int | None = None) -> None:
        """Delete the checkpoints that are neither new, nor the best, nor of `good_step`."""
        files.prune(self.path, (progress.get("best_step"), good_step), self.config.train.keep)

    def log(self, record: Mapping[str, Any]) -> None:
        """Append to the metrics."""
        append_line(self.path / METRICS, record)

    def log_sample(self, record: Mapping[str, Any]) -> None:
        """Append to the samples."""
        append_line(self.path / SAMPLES, record)

    def log_layers(self, record: Mapping[str, Any]) -> None:
        """Append to the norms of the parameters."""
        append_line(self.path / LAYERS, record)

    def forget_after(self, step: int) -> None:
        """Training goes back to `step`: later checkpoints (damaged ones) go, and what was logged later is void."""
        for checkpoint in self.checkpoints():
            if checkpoint.step > step:
                files.delete(checkpoint)
        for file in (METRICS, SAMPLES, LAYERS):
            append_line(self.path / file, {"event": "resumed", "step": step})

    def write_config(self, config: Config) -> None:
        """Store changed settings (a longer budget)."""
        replace_file(self.path / CONFIG, to_json(config.as_dict()))
        self.__dict__.pop("config", None)

    def write_corpus(self, facts: Mapping[str, Any]) -> None:
        """Store the text's facts, once its baselines are known."""
        replace_file(self.path / CORPUS, to_json(facts))

    def write_result(self, result: Mapping[str, Any] | None) -> None:
        """Store how training ended; None takes it back."""
        if result is None:
            (self.path / RESULT).unlink(missing_ok=True)
        else:
            replace_file(self.path / RESULT, to_json(result))


def without_retaken(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Drop what was logged after a checkpoint that training later went back to."""
    kept: list[dict[str, Any]] = []
    for record in records:
        if record.get("event") == "resumed":
            kept = [earlier for earlier in kept if earlier.get("step", 0) <= record["step"]]
        else:
            kept.append(record)
    return kept


def check_name(name: str) -> str:
    """A run's name, if it is one.

    Raises:
        RunError: it has a path in it, or other signs than letters, digits, `.`, `_`, `-`.
    """
    if not NAME.match(name):
        raise RunError(
            f"{name!r} cannot be a run's name",
            "1 to 64 letters, digits, dots, hyphens or underscores, beginning with a letter or digit",
            "choose another --name, and the folder with --runs",
        )
    return name


def check_free(root: Path, name: str) -> None:
    """Whether a new run can have this name.

    Raises:
        RunError: it is taken.
    """
    if (root / name).exists():
        raise RunError(
            f"Run {name} exists already in {root}",
            "a new name",
            "choose another --name, go on with --resume, or start anew with --replace",
        )


def create_run(
    root: Path,
    name: str,
    *,
    config: Config,
    tokenizer: Tokenizer,
    corpus: Mapping[str, Any],
    environment: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    progress: Mapping[str, Any],
    replace: bool = False,
    commit: Callable[[Path], object] | None = None,
) -> Run:
    """A new run folder with its first checkpoint (`commit` may write it otherwise), there whole or not at all.

    Raises:
        RunError: the name is no name, or is taken and `replace` is not set.
        StorageError: the disk is full, or the folder cannot be written.
    """
    final = root / check_name(name)
    if not replace:
        check_free(root, name)
    if final.exists():
        with writing(final):
            pass  # nobody else is writing it
    with storing(root):
        root.mkdir(parents=True, exist_ok=True)
        sweep(root, name)
        sweep(root, older_than_seconds=3600)
    with new_folder(final) as folder:
        (folder / CHECKPOINTS).mkdir()
        documents = {CONFIG: config.as_dict(), TOKENIZER: tokenizer.to_json(), CORPUS: corpus, ENVIRONMENT: environment}
        for file, document in documents.items():
            replace_file(folder / file, to_json(document))
        if commit is None:
            files.commit(folder, int(progress["step"]), weights, state, progress)
        else:
            commit(folder)
    return Run(final)


def load_run(run: str | Path, root: str | Path = "runs") -> Run:
    """Open a run by its name under `root`, or by its path.

    >>> load_run("novel").best().step  # doctest: +SKIP
    1200

    Raises:
        RunError: there is none (the nearest name is offered).
    """
    for path in (Path(run), Path(root) / run):
        if (path / CONFIG).is_file():
            return Run(path)
    known = [found.name for found in list_runs(root)]
    fix = nearest(Path(run).name, known) if known else f"train one: glassloom train FILE --name {Path(run).name}"
    if Path(run).is_dir() or (Path(root) / run).is_dir():
        raise RunError(f"{run} is a folder but no run: it has no {CONFIG}", "a run folder", fix)
    raise RunError(f"There is no run {run}", f"a name under {root}, or a path to a run folder", fix)


def matching_runs(pattern: str, root: str | Path = "runs") -> list[str | Run]:
    """The runs whose names fit a pattern (`gru*`, `four/*-2`, `[gl]*`), sorted; a plain name stands for itself.

    A pattern without a `/` is of names, wherever the run lies under `root`; one with, of paths, from here or `root`.

    Raises:
        RunError: none fits.
    """
    if not any(sign in pattern for sign in "*?["):
        return [pattern]
    if "/" in pattern:
        places = [Path(path) for folder in (Path(), Path(root)) for path in sorted(glob(str(folder / pattern)))]
        found = [Run(path) for path in dict.fromkeys(places) if (path / CONFIG).is_file()]
    else:
        found = [run for run in list_runs(root) if fnmatchcase(run.name, pattern)]
    if not found:
        raise RunError(f"No run fits {pattern}", f"a pattern of names under {root}", "see the names: glassloom runs")
    return list(found)


def list_runs(root: str | Path = "runs") -> list[Run]:
    """Every run under a folder, also one level further down (a comparison's), sorted by path.

    A model folder of another library has a config.json too, but neither checkpoints nor the facts of a text.
    """
    root = Path(root)
    found = {
        path.parent for pattern in (f"*/{CONFIG}", f"*/*/{CONFIG}", f"*/runs/*/{CONFIG}") for path in root.glob(pattern)
    }
    runs = [path for path in found if (path / CHECKPOINTS).is_dir() or (path / CORPUS).is_file()]
    return [Run(path) for path in sorted(runs) if not any(part.startswith(TEMPORARY) for part in path.parts)]
