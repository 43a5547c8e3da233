"""What a search was asked for: kept beside its journal, so that the same command goes on with the same search."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glassloom.config import BUDGETS
from glassloom.data.corpus import Corpus
from glassloom.data.settings import DataSettings
from glassloom.errors import RunError, SettingError
from glassloom.runs.documents import read_json, to_json
from glassloom.runs.lock import is_locked
from glassloom.storage import replace_file, storing
from glassloom.tuning.budget import EVALUATIONS, LEAST_SECONDS, seconds_of_a_trial
from glassloom.tuning.space import Dimension, fitting, parse_space

ASKED = "asked.json"
NO_SAMPLES = 10**9
"""`sample_every` of a trial: it writes nothing on the way."""


@dataclass(frozen=True)
class Asked:
    """A search's own settings. `budget` is each trial's at full length, as (name, amount)."""

    model: str
    corpus: str
    sha256: str
    fixed: dict[str, Any]
    space: tuple[str, ...]
    budget: tuple[str, float]
    evaluations: int
    unit: str
    seed: int

    def dimensions(self) -> list[Dimension]:
        """The space, read back."""
        return [parse_space(text, self.model) for text in self.space]

    def given(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """All settings of a trial, by name."""
        name, amount = self.budget
        chosen = int(amount) if name in ("steps", "train_tokens") else amount
        watched: dict[str, Any] = {"evaluations": self.evaluations, "sample_every": NO_SAMPLES}
        if self.unit != "nats_per_token":
            watched["eval_tokens"] = 0  # so many tokens would be another stretch of text for each trial
        return {"model": self.model, **watched, **self.fixed, name: chosen, **params}


def checked_numbers(**numbers: float) -> None:
    """Refuse what must be above 0 and is not.

    Raises:
        SettingError: one is 0 or less, or not finite.
    """
    for name, number in numbers.items():
        whole = isinstance(number, int)
        if not 0 < number < float("inf"):
            raise SettingError(f"{name} cannot be {number}", "at least 1" if whole else "above 0", f"change --{name}")


def asked_of(
    model: str,
    corpus: Corpus,
    fixed: Mapping[str, Any],
    space: Sequence[Dimension],
    *,
    trials: int,
    minutes: float,
    processes: int,
    each: float | None,
) -> Asked:
    """What is asked for, with each trial's budget: the one that was given, or what fits so many trials into the time.

    Raises:
        SettingError: settings do not go together, or a trial would be too short to say anything.
    """
    fixed = dict(fixed)
    evaluations = int(fixed.pop("evaluations", None) or EVALUATIONS)
    given = [(name, fixed.pop(name)) for name in BUDGETS if fixed.get(name) is not None]
    if fixed.get("eval_every"):
        raise SettingError(
            "A search judges every trial at equal shares of its budget", "evaluations", "give --evaluations instead"
        )
    if each is not None and given:
        raise SettingError(f"--each and --{given[0][0]} are both budgets of a trial", "one of them", "drop one")
    seconds = seconds_of_a_trial(60 * minutes, trials, processes, evaluations)
    if each is None and not given and seconds < LEAST_SECONDS:
        raise SettingError(
            f"{trials:,} trials do not fit into {minutes:g} minutes: each would have {seconds:.2g} s",
            f"{LEAST_SECONDS:g} s or more for each at full length",
            "give --minutes more, or ask for fewer --trials",
        )
    config = fitting(model, {**fixed, **dict(given)}, space)  # whatever does not fit is said now
    budget = given[0] if given else ("minutes", float(f"{each if each is not None else seconds / 60:.3g}"))
    amount = float(getattr(config.train, budget[0]) if given else budget[1])
    in_characters = any(one.name in DataSettings.model_fields for one in space)
    return Asked(
        model=model, corpus=corpus.name, sha256=corpus.sha256, fixed=fixed, space=tuple(map(str, space)),
        budget=(budget[0], amount), evaluations=evaluations,
        unit="bits_per_character" if in_characters else "nats_per_token", seed=config.train.seed,
    )  # fmt: skip


def agreed(folder: Path, now: Asked, own_budget: bool, emptied: bool = False) -> Asked:
    """What the search in that folder goes on with; a new one is written down.

    Its trials keep the budget that they had, unless another one was asked for by name. `emptied`: what is left there is
    what an earlier search of this name left.

    Raises:
        RunError: the folder holds another search, or something else.
    """
    path = folder / ASKED
    if not path.exists():
        if not emptied and folder.exists() and any(one.name[0] != "." for one in folder.iterdir()):
            raise RunError(
                f"{folder} exists already and holds no search", "a new name", "choose another --name or --runs"
            )
        with storing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, to_json(asdict(now)))
        return now
    try:
        saved = read_json(path)
        before = Asked(**{**saved, "space": tuple(saved["space"]), "budget": tuple(saved["budget"])})
    except (TypeError, KeyError):
        raise RunError(
            f"{path} is damaged", "what glassloom search wrote there", "begin anew with --replace or another --name"
        ) from None
    current = json.loads(to_json(asdict(now)))
    for name, value in json.loads(to_json(asdict(before))).items():
        if current[name] == value or (name == "budget" and not own_budget):
            continue
        raise RunError(
            f"The search {folder.name} was begun with {in_words(name, value)}, not {in_words(name, current[name])}",
            "the same search to go on with",
            "repeat its own arguments, choose another --name, or begin anew with --replace",
        )
    return before


def in_words(name: str, value: Any) -> str:
    """A part of what was asked for, for a sentence."""
    match name, value:
        case "sha256", str():
            return f"a text of SHA-256 {value[:12]}"
        case "fixed", dict():
            return f"the settings {', '.join(f'{key} {one}' for key, one in value.items()) or 'as they are'}"
        case "budget", [kind, amount]:
            return f"{kind} {amount:g} for each trial"
        case "space", list():
            return f"the space {' '.join(value)}"
    return f"{name} {value}"


def forget(folder: Path) -> bool:
    """Take away a search and its trials' runs, and whether there was one; whatever else lies in the folder stays.

    Raises:
        RunError: one of its runs is being written.
    """
    if not (folder / ASKED).exists():
        return False
    runs = [path for path in folder.glob("trial-[0-9]*") if (path / "config.json").is_file()]
    if busy := [path for path in runs if is_locked(path)]:
        raise RunError(
            f"The search {folder.name} is going on: {busy[0].name} is being trained",
            "nobody else at it",
            "stop it, or choose another --name",
        )
    with storing(folder):
        for path in (*runs, folder / "claims"):
            shutil.rmtree(path, ignore_errors=True)
        for path in folder.glob("journal.jsonl*"):
            path.unlink(missing_ok=True)
        (folder / ASKED).unlink()
    return True
