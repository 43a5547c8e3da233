"""The doctor: why does my model not learn? Findings about any module and training loop, each a measured number."""

from glassloom.doctor.examine import examine
from glassloom.doctor.finding import Diagnosis, Finding, Severity

__all__ = ["Diagnosis", "Finding", "Severity", "examine"]
