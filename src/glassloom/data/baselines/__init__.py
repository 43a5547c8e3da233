"""What simple methods need for the same held-out text: the lines that every loss is measured against."""

from glassloom.data.baselines.job import BaselineJob
from glassloom.data.baselines.kneser_ney import KneserNey
from glassloom.data.baselines.measure import METHODS, Baseline, baselines, cached, passed

__all__ = ["METHODS", "Baseline", "BaselineJob", "KneserNey", "baselines", "cached", "passed"]
