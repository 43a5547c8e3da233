"""A run as those see it who train it together with the one that writes it: they read it, and write nothing."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from glassloom.config import Config
from glassloom.runs.checkpoint import Checkpoint
from glassloom.runs.documents import CHECKPOINTS
from glassloom.runs.run import Run


@dataclass(frozen=True)
class Bystander(Run):
    """The run of another process. Whatever is to be written is left to that one; its lock is that one's, too.

    The settings are told, not read: the folder may lie on a disk that this machine does not see, as long as no
    checkpoint is needed from it.
    """

    @classmethod
    def of(cls, path: Path, config: Config) -> "Bystander":
        """The run at a path, with its settings."""
        run = cls(path)
        run.__dict__["config"] = config
        return run

    def writing(self) -> AbstractContextManager[None]:
        return nullcontext()

    def commit(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        state: Mapping[str, Tensor],
        progress: Mapping[str, Any],
        good_step: int | None = None,
    ) -> Checkpoint:
        return Checkpoint(self.path / CHECKPOINTS / f"step-{step}")

    def prune(self, progress: Mapping[str, Any], good_step: int | None = None) -> None:
        pass

    def log(self, record: Mapping[str, Any]) -> None:
        pass

    def log_sample(self, record: Mapping[str, Any]) -> None:
        pass

    def log_layers(self, record: Mapping[str, Any]) -> None:
        pass

    def forget_after(self, step: int) -> None:
        pass

    def write_config(self, config: Config) -> None:
        pass

    def write_corpus(self, facts: Mapping[str, Any]) -> None:
        pass

    def write_result(self, result: Mapping[str, Any] | None) -> None:
        pass
