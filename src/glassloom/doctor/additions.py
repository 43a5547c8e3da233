"""Checks that other packages add to the doctor's: of a model as it is built, of a run's history, or of both.

A check measures and gives its evidence, or None where all is well; its name, severity and words are written once, and
the doctor makes the finding. What such a check raises is its own fault: it is said, and the examination goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from torch import Tensor, nn

from glassloom.doctor.finding import Evidence, Finding
from glassloom.doctor.names import NAMES, Entry
from glassloom.doctor.run_names import RUN_NAMES
from glassloom.doctor.subject import Subject
from glassloom.errors import InputError, notice
from glassloom.plugins import Catalogue, reason

if TYPE_CHECKING:
    from glassloom.doctor.recorded import History

OfModel: TypeAlias = Callable[[nn.Module, Tensor], Evidence | None]
OfRun: TypeAlias = Callable[["History"], Evidence | None]


@dataclass(frozen=True, kw_only=True)
class Check(Entry):
    """A check of one's own: in two sentences what its finding `means`, what to do (`fix`), and how it is measured.

    `of_model(model, tokens)` gets a newly built model in eval mode and random ids, `batch time`; `of_run(history)` what
    a run recorded (`glassloom.doctor.recorded.History`). Each gives the evidence, numbers by name, or None. `page` is
    what `--explain` shows, Markdown; without one it is made of the rest.

    >>> def of_model(model, tokens):
    ...     count = sum(one.numel() for one in model.parameters())
    ...     return {"parameters": count} if count > 10**9 else None
    >>> Check(title="It is large", severity="note", means="So it is.", fix="Lower --width.", of_model=of_model).title
    'It is large'
    """

    of_model: OfModel | None = None
    of_run: OfRun | None = None
    page: str = ""

    def of(self, name: str, subject: Subject, tokens: Tensor) -> list[Finding]:
        """What it finds in a new model of a subject."""
        assert self.of_model is not None
        return self.found(name, self.of_model(subject.fresh().eval(), tokens))

    def found(self, name: str, evidence: Evidence | None) -> list[Finding]:
        """The finding that evidence makes; none where there is none."""
        if evidence is None:
            return []
        if not isinstance(evidence, dict):
            raise TypeError(f"a check gives a dict of what it measured, or None, not {type(evidence).__name__}")
        return [Finding(name, self.severity, evidence, self.means, self.fix)]


def taken(name: str, what: Any) -> Entry:
    """The check that a package adds under a name. Raises InputError where it is none."""
    if not isinstance(what, Check):
        raise InputError(f"{what!r} is no Check")
    if what.of_model is None and what.of_run is None:
        raise InputError("it measures neither a model nor a run")
    if what.severity not in ("fatal", "serious", "note"):
        raise InputError(f"its severity is {what.severity!r}, not fatal, serious or note")
    return what


FINDINGS: Catalogue[Entry] = Catalogue("check", {**NAMES, **RUN_NAMES}, taken)
"""Every name that a finding can have: those of anybody's code, of a run's history, and what packages add."""


def added() -> dict[str, Check]:
    """The checks that packages add, by name."""
    return {name: check for name, check in FINDINGS.added.items() if isinstance(check, Check)}


def of_models() -> dict[str, Check]:
    """Those that look at a model."""
    return {name: check for name, check in added().items() if check.of_model is not None}


def of_history(history: "History") -> list[Finding]:
    """What they find in a run's history."""
    found = []
    for name, check in added().items():
        if check.of_run is None:
            continue
        try:
            found += check.found(name, check.of_run(history))
        except Exception as error:
            notice(f"The check {name} of {FINDINGS.owner(name)} could not be made: {reason(error)}")
    return found
