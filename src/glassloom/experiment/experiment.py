"""What a show function sees of an experiment: its runs, their rows and texts, what was reported, what it measured."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glassloom.comparison import Comparison, Row
from glassloom.config import Config
from glassloom.data.corpus import Corpus
from glassloom.recipes import Recipe, rows_of
from glassloom.runs import Run
from glassloom.storage import replace_file, storing

ENDED = ("finished", "diverged")
"""How a run ends that was not cut off."""

KEPT = "kept"
"""The folder of what was measured for the page."""


@dataclass
class Experiment:
    """A recipe, and how far it has been carried out."""

    recipe: Recipe
    folder: Path
    quick: bool
    runs: dict[str, Run]
    """By id, those that exist."""
    corpora: Mapping[str, Corpus]
    """By the run's id."""
    comparisons: dict[str, Comparison]
    """By the part's name."""
    figures: dict[str, float] = field(default_factory=dict)
    """Numbers that shows add, by name; targets may ask for them."""

    @property
    def rows(self) -> dict[str, Row]:
        """Every run's row, by id; one that is not run yet has none."""
        return {row.id: row for comparison in self.comparisons.values() for row in comparison.rows}

    def corpus(self, id: str) -> Corpus:
        """The text of a run."""
        return self.corpora[id]

    def there(self, ids: Sequence[str] = ()) -> dict[str, Run]:
        """Those of the runs (all, where none is named) that exist, in order."""
        return {id: self.runs[id] for id in (ids or self.runs) if id in self.runs}

    def is_full(self, id: str) -> bool:
        """Whether a run has the whole budget that the recipe gives it, and came to its end."""
        run = self.runs.get(id)
        if run is None or (run.result() or {}).get("status") not in ENDED:
            return False
        asked = next(self.recipe.given(part, planned) for part, planned in self.recipe.runs() if planned.id == id)
        return run.config.train.budget() == Config.from_flat(asked).train.budget()

    def reported(self, file: str) -> list[dict[str, str]]:
        """The rows of a table of reported figures (`ptb`, `other`)."""
        return rows_of(file)

    def kept(self, name: str, compute: Callable[[], Any], *, of: Sequence[Run] = (), asked: Any = None) -> Any:
        """What `compute` gives (plain data), computed once and kept in the experiment's folder.

        It is computed anew where something that it is made from differs: `of`, the settings and weights of the runs, or
        `asked`, what else was asked for (plain data).
        """
        path = self.folder / KEPT / f"{name}.json"
        made_from = json.loads(json.dumps([[made(run) for run in of], asked]))
        if path.exists():
            stored = json.loads(path.read_text(encoding="utf-8"))
            if stored["made_from"] == made_from:
                return stored["value"]
        value = json.loads(json.dumps(compute(), allow_nan=True))
        with storing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"made_from": made_from, "value": value}).encode())
        return value


def made(run: Run) -> list[Any]:
    """What tells a run from another of its name: its settings, and the digest of each checkpoint's weights."""
    return [run.name, run.config.flat(), [[one.step, one.digest()] for one in run.checkpoints()]]
