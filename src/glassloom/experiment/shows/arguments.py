"""What arguments of shows may be: types that a recipe's page is checked by before anything is trained.

A mark in a type says more than the type does: a number's bound, or what a name must be the name of.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from glassloom.config import all_settings
from glassloom.errors import nearest
from glassloom.recipes import Recipe, rows_of, tables

Complaint = tuple[str, str, str]
"""What is wrong (empty: that the value is what it is), what was expected, what to do."""


@dataclass(frozen=True)
class AtLeast:
    """A number's lowest value; with `above`, what it must be above."""

    low: float
    above: bool = False

    def complaint(self, value: Any, recipe: Recipe) -> Complaint | None:
        """What is wrong with the value, if anything."""
        if value > self.low or (value == self.low and not self.above):
            return None
        return "", f"{'above' if self.above else 'at least'} {self.low:g}", "mend that line"


@dataclass(frozen=True)
class Like:
    """A text's pattern, and the same in words."""

    pattern: str
    words: str

    def complaint(self, value: Any, recipe: Recipe) -> Complaint | None:
        """What is wrong with the value, if anything."""
        return None if re.fullmatch(self.pattern, value) else ("", self.words, "mend that line")


@dataclass(frozen=True)
class Some:
    """A list that is not empty."""

    def complaint(self, value: Any, recipe: Recipe) -> Complaint | None:
        """What is wrong with the value, if anything."""
        return None if value else ("", "at least one", "name one")


@dataclass(frozen=True)
class NameOf:
    """A text that is the name of something that there is."""

    what: str
    known: Callable[[Recipe], Sequence[str]]

    def complaint(self, value: Any, recipe: Recipe) -> Complaint | None:
        """What is wrong with the value, if anything."""
        known = self.known(recipe)
        if value in known:
            return None
        fix = nearest(value, known) if known else "drop it"
        return f"there is no {self.what} {value}", f"the name of a {self.what}", fix


def runs(recipe: Recipe) -> list[str]:
    """The ids of all runs."""
    return [run.id for _, run in recipe.runs()]


def parts(recipe: Recipe) -> list[str]:
    """The names of all parts."""
    return [part.name for part in recipe.part]


def transformers(recipe: Recipe) -> list[str]:
    """The ids of the runs that are transformers."""
    return [run.id for part, run in recipe.runs() if recipe.given(part, run).get("model") == "transformer"]


def parts_of_transformers(recipe: Recipe) -> list[str]:
    """The names of the parts all of whose runs are transformers."""
    ids = set(transformers(recipe))
    return [part.name for part in recipe.part if ids.issuperset(run.id for run in part.runs)]


def settings(recipe: Recipe) -> list[str]:
    """The names of all settings."""
    return ["model", *(setting.name for setting in all_settings())]


def histories(recipe: Recipe) -> list[str]:
    """The tables that have figures by epoch."""
    return [table for table in tables() if "split" in rows_of(table)[0]]


def reported(quantity: str, at: str = "") -> Callable[[Recipe], list[str]]:
    """Of what experiments `other.csv` has a quantity, at such places."""

    def known(recipe: Recipe) -> list[str]:
        rows = [row for row in rows_of("other") if row["quantity"].startswith(quantity) and row["at"].startswith(at)]
        return list(dict.fromkeys(row["experiment"] for row in rows))

    return known


def families(recipe: Recipe) -> list[str]:
    """What the experiments of `other.csv` with a training loss are called up to their last word: D of `D hebrew`."""
    return list(dict.fromkeys(name.rpartition(" ")[0] for name in reported("training loss")(recipe)))


Count = Annotated[int, AtLeast(1)]
FromZero = Annotated[int, AtLeast(0)]
Positive = Annotated[float, AtLeast(0, above=True)]
Temperature = Annotated[float, AtLeast(0)]
Name = Annotated[str, Like(r"[a-z0-9-]+", "small letters, digits and hyphens")]
RunName = Annotated[str, NameOf("run", runs)]
Runs = Annotated[Sequence[RunName], Some()]
RunOrPart = Annotated[str, NameOf("run or part", lambda recipe: [*runs(recipe), *parts(recipe)])]
RunsOrParts = Annotated[Sequence[RunOrPart], Some()]
PartName = Annotated[str, NameOf("part", parts)]
GroupName = Annotated[str, NameOf("group", lambda recipe: list(recipe.groups))]
Transformer = Annotated[str, NameOf("run of a transformer", transformers)]
PartOfTransformers = Annotated[str, NameOf("part of transformers alone", parts_of_transformers)]
SettingName = Annotated[str, NameOf("setting", settings)]
Histories = Annotated[str, NameOf("table of reported histories", histories)]
Which = Literal["best", "newest"]
"""Of a run's checkpoints."""
