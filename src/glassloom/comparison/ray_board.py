"""Where the runs on a Ray cluster and their overseer leave word for each other: an actor that holds plain data.

It imports neither torch nor Ray, so that its process starts at once and stays small.
"""

from typing import Any, TypeAlias

Told: TypeAlias = tuple[str, str, dict[str, Any]]
"""A run's id, the name of an event's class, and its fields."""


class Board:
    """What runs have told and nobody has read yet, and which of them are asked to end."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.halted: set[str] = set()
        self.attempts: dict[str, int] = {}

    def tell(self, id: str, attempt: int, events: list[Told]) -> bool:
        """Leave a run's events; whether it is to save and end.

        An attempt that was given up for lost, and lives on all the same beyond a broken line, is not listened to.
        """
        if attempt < self.attempts.get(id, 0):
            return True
        self.attempts[id] = attempt
        self.told += events
        return id in self.halted

    def expect(self, id: str, attempt: int) -> None:
        """From now on only this attempt at a run, or a later one, is listened to."""
        self.attempts[id] = attempt

    def halt(self, ids: list[str]) -> None:
        """Ask runs to save and end."""
        self.halted.update(ids)

    def take(self) -> list[Told]:
        """What was told since this was last asked."""
        told, self.told = self.told, []
        return told
