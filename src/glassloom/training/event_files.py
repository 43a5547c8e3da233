"""What a run measures, in TensorBoard's event files too: curves, samples, norms and histograms of every parameter.

Nothing is measured for it: what training appends to metrics.jsonl, samples.jsonl and layers.jsonl is told to
TensorBoard's own writer (through torch), a number as float32. A resumed training begins the files anew from those of
the run, so that they never hold what a resume took back, and what a kill kept from being written is there after all.

    train/..., evaluation/...                       every number of such a line, by its name
    gradient/..., weight/..., update/PARAMETER      norms (see `glassloom.training.norms`)
    weights/..., gradients/PARAMETER                their histograms
    sample                                          prompt and continuation, as a block of code

An event's time is the run's beginning plus the seconds of training, so that TensorBoard's relative time is these.
"""

import importlib.util
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate
from typing import Any

from glassloom.errors import SettingError
from glassloom.runs import Run, storing
from glassloom.runs.run import without_retaken
from glassloom.runs.tail import Tail
from glassloom.training.events import Event, Stepped

NORMS = ("gradient", "weight", "update")
HISTOGRAMS = ("weights", "gradients")


def check_writer() -> None:
    """Whether TensorBoard's writer is there.

    Raises:
        SettingError: it is not installed.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise SettingError(
            "TensorBoard's event files cannot be written, for tensorboard is not installed",
            "the extra of that name",
            "install it with pip install 'glassloom[tensorboard]', or drop --tensorboard",
        )


@contextmanager
def event_files(run: Run) -> Iterator[Callable[[Event], None]]:
    """Write a run's event files while the block runs, after each event that is told; nothing where not asked for.

    >>> with event_files(run) as write_events:  # doctest: +SKIP
    ...     write_events(event)

    Raises:
        StorageError: the disk is full or cannot be written.
    """
    if not run.config.train.tensorboard:
        yield lambda event: None
        return
    files = EventFiles(run)

    def write_events(event: Event) -> None:
        if not isinstance(event, Stepped):
            files.write_new()

    try:
        yield write_events
        files.write_new()
    finally:
        files.close()


class EventFiles:
    """The event files of a run that is being trained, begun anew."""

    def __init__(self, run: Run) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = run.events
        with storing(self._folder):
            shutil.rmtree(self._folder, ignore_errors=True)
            # step 0 on is void for a TensorBoard that shows the files which were here before
            self._writer: Any = SummaryWriter(str(self._folder), purge_step=0)  # type: ignore[no-untyped-call]
        self._begun = datetime.fromisoformat(run.environment["date"]).timestamp()
        self._seconds = 0.0
        self._tails = tuple(Tail(path) for path in run.logs())
        self.write_new()

    def write_new(self) -> None:
        """Everything that the run has appended since the last time."""
        metrics, samples, layers = (without_retaken(tail.read()) for tail in self._tails)
        with storing(self._folder):
            for record in metrics:
                self._write_metrics(record)
            for record in layers:
                self._write_layers(record)
            for record in samples:
                block = "".join(f"    {line}\n" for line in (record["prompt"] + record["text"]).split("\n"))
                self._writer.add_text("sample", block, record["step"], self._time)
            self._writer.flush()

    def close(self) -> None:
        """Nothing more comes."""
        self._writer.close()

    @property
    def _time(self) -> float:
        return self._begun + self._seconds

    def _write_metrics(self, record: Mapping[str, Any]) -> None:
        self._seconds = record.get("seconds", self._seconds)
        for name, value in curves_of(record).items():
            self._writer.add_scalar(name, value, record["step"], self._time)

    def _write_layers(self, record: Mapping[str, Any]) -> None:
        step = record["step"]
        for parameter, facts in record.get("parameters", {}).items():
            for name in NORMS:
                if facts.get(name) is not None:
                    self._writer.add_scalar(f"{name}/{parameter}", facts[name], step, self._time)
            for name in HISTOGRAMS:
                if facts.get(name) and facts[name]["counts"]:
                    self._write_histogram(f"{name}/{parameter}", facts[name]["most"], facts[name]["counts"], step)

    def _write_histogram(self, name: str, most: float, counts: list[int], step: int) -> None:
        """Equal bins from -most to most; the sums, which no view shows, are those of the bins' middles."""
        reach = most or 1.0
        width = 2 * reach / len(counts)
        edges = list(accumulate([width] * len(counts), initial=-reach))
        middles = [edge - width / 2 for edge in edges[1:]]
        total = sum(count * middle for count, middle in zip(counts, middles, strict=True))
        squares = sum(count * middle**2 for count, middle in zip(counts, middles, strict=True))
        self._writer.add_histogram_raw(
            name, min=-most, max=most, num=sum(counts), sum=total, sum_squares=squares,
            bucket_limits=edges, bucket_counts=[0, *counts], global_step=step, walltime=self._time,
        )  # fmt: skip


def curves_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one line of metrics, by the names of their curves.

    >>> curves_of({"event": "train", "step": 3, "lr": 0.1, "beside": {"samples": 2}, "is_best": True, "nats": None})
    {'train/lr': 0.1, 'train/beside/samples': 2.0, 'train/is_best': 1.0}
    """
    found: dict[str, float] = {}
    for name, value in record.items():
        parts = value if isinstance(value, Mapping) else {"": value}
        for part, number in parts.items():
            if name != "step" and isinstance(number, (int, float)):
                found["/".join(filter(None, [str(record["event"]), name, part]))] = float(number)
    return found
