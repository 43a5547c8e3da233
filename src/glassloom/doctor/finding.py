"""What the doctor says: findings with their evidence, and the diagnosis that they add up to."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["fatal", "serious", "note"]
"""fatal: it cannot learn what it is asked to. serious: it learns, but worse or something else. note: worth a look."""
Verdict: TypeAlias = Literal["healthy", "sick"]
Evidence: TypeAlias = dict[str, Any]
"""What was measured, by name: numbers, or words and lists of them where a number is of something (a parameter)."""


@dataclass(frozen=True)
class Finding:
    """One cause: its fixed name, what was measured, what that means, and where and how to mend it."""

    name: str
    severity: Severity
    evidence: Evidence
    explanation: str
    fix: str


@dataclass(frozen=True)
class Diagnosis:
    """Every finding, the likeliest cause first.

    >>> Diagnosis(()).verdict
    'healthy'
    """

    findings: tuple[Finding, ...]
    measured: Evidence = field(default_factory=dict)
    """What was looked at and found sound, for those who want to see it; not part of the JSON."""

    @property
    def verdict(self) -> Verdict:
        """Sick where a finding is more than a note."""
        return "sick" if any(finding.severity != "note" for finding in self.findings) else "healthy"

    @property
    def names(self) -> tuple[str, ...]:
        """The findings' names, the likeliest cause first."""
        return tuple(finding.name for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The verdict and the findings as plain data."""
        return {"verdict": self.verdict, "findings": [asdict(finding) for finding in self.findings]}


def diagnosis_of(told: dict[str, Any]) -> Diagnosis:
    """A diagnosis from its plain data."""
    return Diagnosis(tuple(Finding(**finding) for finding in told["findings"]))
