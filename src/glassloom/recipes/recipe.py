"""A recipe: a named experiment as data, read from TOML. Listed ones lie beside this file; a user's own is any file.

    name, title, source, about      what it reproduces; hours_cpu, hours_gpu: full size, on two cores and on a GPU
    [settings]                      of every run, named as on the command line
    [groups]                        of the runs of a group, by its name; every group of a run is here
    [[part]]                        runs on one text: name, title, corpus, settings, runs = [{ id, group, ... }]
    [quick]                         what --quick does instead: only, settings, runs = { ID = { ... } }
    [[target]]                      a figure to reach: run, figure, epoch, at_most | at_least | reported and within
    [[page]]                        what the page shows, in order: show, and the arguments of that show function

Nothing in a recipe is code; `glassloom.recipes.reading` refuses what is wrong in one with its line.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from glassloom.config import Setting, all_settings
from glassloom.recipes.lines import line_of
from glassloom.recipes.tables import perplexity_in

BUDGETS = ("epochs", "steps", "train_tokens", "minutes")

Settings = dict[str, Any]


class Strict(BaseModel):
    """No unknown key, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannedRun(BaseModel):
    """One run of a part: its id, the group that it is drawn with, and its settings by name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    group: str = ""
    title: str = ""

    @property
    def settings(self) -> Settings:
        return dict(self.model_extra or {})


class Part(Strict):
    """Runs on one text that belong together: they share a table and curves."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    corpus: str
    about: str = ""
    optional: bool = False
    """Trained only where it, a group of it or one of its runs is asked for by name."""
    settings: Settings = {}
    runs: tuple[PlannedRun, ...] = Field(min_length=1)


class Quick(Strict):
    """What the short version does instead."""

    only: tuple[str, ...] = ()
    settings: Settings = {}
    runs: dict[str, Settings] = {}


class Target(Strict):
    """A figure that a run must reach: a field of its row (at an epoch, or at its best), or a number of a show."""

    run: str = ""
    runs: tuple[str, ...] = ()
    """The same for each of these."""
    figure: str
    of: str = ""
    """The run that a show's number is about: it counts only at full length."""
    epoch: int | None = None
    at_most: float | None = None
    at_least: float | None = None
    reported: float | None = None
    table: str = ""
    """The reported figure is that of the run in this table: at the epoch, or at its best."""
    within: float = 0.0
    either_way: bool = False
    """Lower than that is missed too."""
    quick: bool = False
    note: str = ""

    @property
    def limit(self) -> float | None:
        """The highest value that reaches the target; None where the target is a lowest one."""
        if self.at_most is not None:
            return self.at_most
        return None if self.reported is None else self.reported * (1 + self.within)

    @property
    def lowest(self) -> float | None:
        """The lowest value that reaches the target; None where any low one does."""
        if self.either_way and self.reported is not None:
            return self.reported * (1 - self.within)
        return self.at_least

    @property
    def asked(self) -> str:
        """What is asked for, in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        if self.at_most is not None:
            return f"at most {self.at_most:g}"
        if self.either_way:
            return f"within {100 * self.within:g}% of {self.reported:g}"
        return (
            f"at most {100 * self.within:g}% above {self.reported:g}" if self.within else f"at most {self.reported:g}"
        )

    @property
    def described(self) -> str:
        """The figure in words."""
        at = f" after epoch {self.epoch}" if self.epoch is not None else ""
        return f"{self.figure.replace('_', ' ')}{at}{f' ({self.note})' if self.note else ''}"


class Shown(BaseModel):
    """One entry of the page: a show, and its arguments."""

    model_config = ConfigDict(extra="allow", frozen=True)

    show: str
    part: str = ""
    """The part under which it stands; at the end of the page where none is named."""
    section: str = ""
    """Opens a section of this title."""

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Recipe(Strict):
    """A named experiment."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    source: str
    about: str
    hours_cpu: float | None = None
    """Full size on two cores, in hours; None where nobody has measured it."""
    hours_gpu: float | None = None
    settings: Settings = {}
    groups: dict[str, Settings] = {}
    """Settings of the runs of a group, by its name."""
    part: tuple[Part, ...] = Field(min_length=1)
    quick: Quick = Quick()
    target: tuple[Target, ...] = ()
    page: tuple[Shown, ...] = ()
    _file: tuple[str, str] = PrivateAttr(("", ""))
    """The file that it was read from and its text, for errors; empty where there is none."""

    def read_from(self, where: str, text: str) -> "Recipe":
        """The same recipe, which knows its file from now on."""
        self._file = (where, text)
        return self

    def place(self, *path: str | int) -> str:
        """Where something stands, for an error: `my.toml, line 12`; the recipe's name where it has no file."""
        where, text = self._file
        line = line_of(text, path)
        return f"{where}, line {line}" if line else where or self.name

    def targets(self) -> Iterator[Target]:
        """Every target, one for each run that it is asked of, the reported figure looked up."""
        for target in self.target:
            for run in target.runs or (target.run,):
                reported = perplexity_in(target.table, run, target.epoch) if target.table else target.reported
                yield target.model_copy(update={"run": run, "runs": (), "reported": reported})

    def runs(self) -> Iterator[tuple[Part, PlannedRun]]:
        """Every run with its part, in order."""
        for part in self.part:
            for run in part.runs:
                yield part, run

    def given(self, part: Part, run: PlannedRun, *, quick: bool = False) -> Settings:
        """What `train` is given for a run: those of the recipe, the group, the part, its own; then the quick ones."""
        given = merged(self.settings, self.groups.get(run.group, {}), part.settings, run.settings)
        return merged(given, self.quick.settings, self.quick.runs.get(run.id, {})) if quick else given


@cache
def every_setting() -> tuple[Setting, ...]:
    """All settings; gathered once, for they are asked for by every run."""
    return tuple(all_settings())


def merged(*settings: Mapping[str, Any]) -> Settings:
    """Later settings replace earlier ones, a budget one of any kind; the word none unsets what may be unset.

    Where none is one of a setting's own values, it is that value; any other setting is taken back by it.

    >>> merged({"epochs": 20, "clip_norm": 1.0, "forget_bias": 0.0}, {"minutes": 1, "clip_norm": "none"})
    {'clip_norm': None, 'forget_bias': 0.0, 'minutes': 1}
    >>> merged({"forget_bias": 0.0, "positions": "none"}, {"model": "lstm", "forget_bias": "none"})
    {'positions': 'none', 'model': 'lstm'}
    """
    result: Settings = {}
    for one in settings:
        if any(name in BUDGETS for name in one):
            result = {name: value for name, value in result.items() if name not in BUDGETS}
        result |= one
    for setting in every_setting():
        if result.get(setting.name) == "none" and "none" not in setting.choices:
            there = setting.section != "model" or result.get("model", "gru") in setting.by_architecture
            if there and setting.default is None:
                result[setting.name] = None
            else:
                del result[setting.name]
    return result
