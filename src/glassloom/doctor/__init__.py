"""The doctor: why does my model not learn? Findings about anybody's module and training loop, each a measured number."""

from glassloom.doctor.finding import Diagnosis, Finding, Severity

__all__ = ["Diagnosis", "Finding", "Severity"]
