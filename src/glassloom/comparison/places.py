"""Where runs are carried out: in this process, in several of this machine, or over the machines of a Ray cluster."""

import os
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass

from glassloom.comparison.execution import Alone, Crew, OnEvent, Work
from glassloom.comparison.processes import Processes
from glassloom.errors import SettingError

__all__ = ["OnEvent", "Where", "crew_at"]
RAY = re.compile(r"(ray://)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
ACCEPTED = "ray (on this machine), ray://HOST:10001 (Ray's client port), or HOST:6379 (from a machine of the cluster)"


@dataclass(frozen=True)
class Where:
    """The place for several runs, how many at once, and what of a machine each of them gets.

    `on` is None for this machine, `ray` for a Ray of our own on this machine (or the one that RAY_ADDRESS names), else
    a cluster's address. `jobs` None is one at a time here, and on Ray as many as there is room for. `cpus` and `gpus`
    are those of one run on Ray; its threads are as many as its CPUs.
    """

    on: str | None = None
    jobs: int | None = None
    cpus: int | None = None
    gpus: float | None = None

    def check(self) -> None:
        """Raise a SettingError where this names no place."""
        if self.jobs is not None and self.jobs < 1:
            raise SettingError(f"jobs cannot be {self.jobs}", "at least 1", "change --jobs")
        if self.on is None:
            for name, number in (("cpus", self.cpus), ("gpus", self.gpus)):
                if number is not None:
                    raise SettingError(
                        f"{name} {number:g} without a cluster", "--on with it", f"add --on ray, or drop --{name}"
                    )
            return
        if self.on == "slurm":
            raise SettingError("--on slurm goes with glassloom run", ACCEPTED, "write a recipe for it, or change --on")
        if self.on != "ray" and not RAY.fullmatch(self.on):
            raise SettingError(f"--on {self.on!r} is no place to train", ACCEPTED, "change --on")
        if self.cpus is not None and self.cpus < 1:
            raise SettingError(f"cpus cannot be {self.cpus}", "at least 1 for each run", "change --cpus")
        if self.gpus is not None and not (0 <= self.gpus <= 1 or self.gpus == int(self.gpus)):
            raise SettingError(
                f"gpus cannot be {self.gpus:g}", "a share of one (0.5) or a whole number", "change --gpus"
            )

    @property
    def address(self) -> str | None:
        """The cluster's address; None where Ray is to be started here."""
        return (os.environ.get("RAY_ADDRESS") or None) if self.on == "ray" else self.on


def crew_at(where: Where, work: Work) -> AbstractContextManager[Crew]:
    """The crew of a place. Ray is imported only here, and only where it was asked for.

    Raises:
        SettingError: the place makes no sense.
        ClusterError: Ray is not installed, nobody answers, or no machine is large enough (when it is entered).
    """
    where.check()
    if where.on is None:
        return Alone(work) if (where.jobs or 1) == 1 else Processes(work, where.jobs or 1)
    from glassloom.comparison.ray_crew import RayCrew

    return RayCrew(work, where)
