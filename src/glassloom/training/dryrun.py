"""A dry run: the model layer by layer, what a step costs, and how long training will take. Nothing is trained."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glassloom.models.summary import Row, parameter_count, summary, training_flops, training_memory
from glassloom.training.foretell import estimated_seconds
from glassloom.training.optimizers import optimizer_copies
from glassloom.training.prepared import prepare
from glassloom.training.state import TrainingState


@dataclass(frozen=True)
class DryRun:
    """What training would take."""

    model: str
    layers: list[Row]
    parameters: int
    memory_bytes: dict[str, int]
    """Parameters, gradients, optimizer, activations of one step."""
    flops_per_token: float
    """Forward and backward, products only."""
    steps_per_epoch: int
    estimated_seconds: float
    device: str
    precision: str
    threads: int | None
    corpus: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """The same as a table for people."""
        width = max(len(row.name) for row in self.layers)
        lines = [
            f"{row.name:<{width}}  {' x '.join(map(str, row.shape)):>16}  {row.parameters:>12,}" for row in self.layers
        ]
        megabytes = {name: size / 1e6 for name, size in self.memory_bytes.items()}
        lines += [
            f"{'in all':<{width}}  {'':>16}  {self.parameters:>12,} parameters",
            "",
            "memory of a step  " + ", ".join(f"{name} {size:,.1f} MB" for name, size in megabytes.items()),
            f"FLOPs a token     {self.flops_per_token:,.0f} (forward and backward, products only)",
            f"an epoch          {self.steps_per_epoch:,} steps",
            f"estimated time    {self.estimated_seconds:,.0f} s on {self.device} in {self.precision}, "
            f"{self.threads} threads",
        ]
        return "\n".join(lines)


def dry_run(
    source: Any,
    given: Mapping[str, Any],
    *,
    root: str | Path = "runs",
    name: str | None = None,
    resume: bool = False,
    replace: bool = False,
    start_from: str | Path | None = None,
    fast: bool = False,
) -> DryRun:
    """What `train` with the same arguments would take (of a run that is resumed, from its beginning).

    Raises:
        InputError: what `train` would raise before its first step.
    """
    prepared = prepare(
        source, given, root=Path(root), name=name, resume=resume, replace=replace, start_from=start_from, fast=fast,
    )  # fmt: skip
    config, corpus = prepared.config, prepared.corpus
    train = config.train
    state = TrainingState(config, corpus)
    rows, length = train.batch_size, train.sequence_length or 1
    if train.batching == "padded":
        rows = max(1, train.max_tokens // length)
    memory = training_memory(state.model, max(1, rows // train.accumulate), length, optimizer_copies(train))
    return DryRun(
        model=config.architecture,
        layers=summary(state.model),
        parameters=parameter_count(state.model),
        memory_bytes={**asdict(memory), "total": memory.total},
        flops_per_token=training_flops(state.model, length),
        steps_per_epoch=state.batches.steps_per_epoch,
        estimated_seconds=estimated_seconds(state),
        device=train.device,
        precision=train.precision,
        threads=train.threads,
        corpus=corpus.describe(),
    )
